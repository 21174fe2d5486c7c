"""Write docs/reliability.md from the tables of faults.

PYTHONPATH=workflow:tests python -m faults.write_docs
"""

import sys
from collections import Counter
from pathlib import Path

from faults.injector import MOST_SECONDS, OUTCOMES, modules

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs/reliability.md"
HEADER = """# Reliability

This page lists what happens when files are damaged, settings are wrong, or data and checkpoints are
hostile. It is generated from the tables in `tests/faults/`. `make test-all` injects these faults
and checks that each ends as listed; `make test-faults` injects those marked *long*. None takes more
than {seconds} seconds, ends in a traceback, or writes outside the project's folder.
[SECURITY.md](../SECURITY.md) lists the trusted inputs.

{outcomes}

{total} faults: {counts}.

After changing a table, run `PYTHONPATH=workflow:tests python -m faults.write_docs`.
"""


def page() -> str:
    """Return the text of the page."""
    tables = [(module, module.FAULTS) for module in modules()]
    counts = Counter(fault.outcome for _, faults in tables for fault in faults)
    text = HEADER.format(
        seconds=MOST_SECONDS,
        outcomes="\n".join(f"* **{name}**: {about}" for name, about in OUTCOMES.items()),
        total=counts.total(),
        counts=", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts[name]),
    )
    for module, faults in tables:
        text += f"\n## {module.KIND}\n\n{_paragraphs(module.__doc__ or '')}\n\n"
        text += "| where | fault | outcome |\n|---|---|---|\n"
        for fault in faults:
            long = ", *long*" if fault.long else ""
            text += f"| {_cell(fault.where)} | {_cell(fault.what)} | {fault.outcome}{long} |\n"
    return text


def _paragraphs(text: str) -> str:
    """Return a docstring with one line per paragraph."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.path.append(str(TESTS / "unit"))  # some faults use a server or files of the unit tests
    PAGE.write_text(page(), encoding="utf-8")
