"""Rewrite the tables of the pages in bench/ between two marks."""

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent


def stamp() -> str:
    """Return machine, date and commit in one sentence, with a note if files were changed.

    Changes to the pages of bench/ are ignored, since these are the output.
    """
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    commit, changed = (
        subprocess.run(
            ["git", "-C", FOLDER.parent, *words], capture_output=True, text=True, check=False
        ).stdout.strip()
        for words in (
            ("rev-parse", "--short", "HEAD"),
            ("status", "--porcelain", "-uno", ".", ":!bench/*.md"),
        )
    )
    return (
        f"{next(named, platform.machine())}, {os.cpu_count()} cores, "
        f"{datetime.date.today().isoformat()}, commit {commit or 'unknown'}"
        f"{', with changes' if changed else ''}."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def rewrite(page: str, name: str, text: str) -> None:
    """Write a text with its stamp between the marks of that name in a page of bench/."""
    path = FOLDER / page
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    whole = path.read_text()
    if begin not in whole or end not in whole:
        raise SystemExit(f"{path}: no marks {begin!r} and {end!r} to write between")
    before, rest = whole.split(begin, 1)
    after = rest.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n\n{stamp()}\n\n{text}\n\n{end}{after}")
    print(f"{stamp()}\n\n{text}\n\nwritten to {path}")
