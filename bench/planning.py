"""Measure processor time, jobs and memory of planning: presets, a large exam, a finished run.

    python bench/planning.py --rounds 3 [--finished .]

Each case is a Snakemake dry run, started as a user would start it. Jobs are counted from its
output. Cases run in turn, so other load on the machine affects all equally. The minimum over rounds
is shown, since other processes can only add time. `--finished` is a folder in which the demo was
run.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
PAPER = "config/presets/paper.yaml"
MODELS = 64
PUBLISHED = (
    *("clevr", "coco", "mmvp", "mmvp_vlm", "blink", "cv_bench", "mochi", "spair", "hpatches"),
    "nyuv2",
)
OTHERS = {
    "coco_train": {"layout": "coco", "source": "download", "splits": ["train2017"], "subset": 5000},
    "stroop": {"layout": "stroop", "source": "render", "splits": {"test": 1000}},
}
START = "Snakemake's start"
_JOBS = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


def large() -> dict[str, Any]:
    """Return a config of the paper preset's 64 models on twelve datasets, with the defaults."""
    paper: dict[str, Any] = yaml.safe_load((PROJECT / PAPER).read_text(encoding="utf-8"))
    models = paper["models"][:MODELS]
    return {
        "models": models,
        "remote_code": [model for model in paper["remote_code"] if model in models],
        "revisions": {m: commit for m, commit in paper["revisions"].items() if m in models},
        "datasets": {name: {"layout": name, "source": "download"} for name in PUBLISHED} | OTHERS,
    }


def measure(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Return a command's processor seconds, peak memory in MB, and jobs by rule."""
    with tempfile.TemporaryFile("w+") as output:
        run = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(run.pid, 0)
        output.seek(0)
        printed = output.read()
    if status:
        raise SystemExit(printed)
    table = printed.rpartition("Job stats:")[2].partition("\n\n")[0]
    jobs = {rule: int(count) for rule, count in _JOBS.findall(table)}
    seconds = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "mb": used.ru_maxrss / 1024, "jobs": jobs.get("total", 0), **jobs}


def cases(scratch: Path, finished: Path | None) -> Iterator[tuple[str, list[str], Path]]:
    """Yield the name, the arguments and the folder of every case."""
    yield START, ["--version"], PROJECT
    if finished:
        yield "finished demo", ["--cores", "2"], finished
    yield "demo", ["-n"], PROJECT
    yield "paper", ["-n", "--configfile", PAPER], PROJECT
    file = scratch / "large.json"
    file.write_text(json.dumps(large()), encoding="utf-8")
    yield "64 models × 12 datasets", ["-n", "--configfile", str(file)], PROJECT


def main() -> None:
    """Print one row per case, and on request the jobs of each rule in the paper preset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--finished", type=Path, help="a folder in which the demo was run")
    parser.add_argument("--rules", action="store_true", help="count the jobs of the paper's rules")
    parser.add_argument("--case", help="only cases with this in their name")
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        every = list(cases(Path(scratch), given.finished))
        for _ in range(given.rounds):
            for name, words, folder in every:
                if given.case is None or given.case in name or name == START:
                    command = [sys.executable, "-m", "snakemake", *words]
                    found.setdefault(name, []).append(measure(command, folder))
    print(
        "| case | jobs | processor s | same, start = 1 | a job, start = 1 | peak MB |\n"
        "|---|---|---|---|---|---|"
    )
    start = min(one["seconds"] for one in found[START])
    for name, rounds in found.items():
        least = min(rounds, key=lambda one: one["seconds"])
        ratio, jobs = least["seconds"] / start, least["jobs"]
        each = f"{ratio / jobs:.4f}" if jobs else ""
        print(
            f"| {name} | {jobs:,} | {least['seconds']:.1f} | {ratio:.1f} | {each} "
            f"| {least['mb']:.0f} |"
        )
    of_rules = found.get("paper", [{}])[0] if given.rules else {}
    for rule, count in sorted(of_rules.items(), key=lambda item: -item[1]):
        if rule not in ("seconds", "mb", "jobs", "total"):
            print(f"{count:6,} {rule}")


if __name__ == "__main__":
    main()
