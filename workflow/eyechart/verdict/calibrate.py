"""Measure how often the verdict is right, wrong or undecided on models whose failure is planted.

Reads: nothing. Writes items, readouts, probes and responses of planted models below a temporary
folder, runs the step ``decide`` on them, and compares the classes with what was planted.
Writes: a row per scenario and number of items (--output)

    python -m eyechart.verdict.calibrate --skills 200 --items 60 130 300 \
        --settings '{"alpha": 0.01, "margin": 0.1}' --seed 7 --output results/calibration.parquet
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core import errors
from eyechart.core.address import READ
from eyechart.core.randomness import generator
from eyechart.tables.parquet import write_table
from eyechart.tables.verdict import CALIBRATION, UNDECIDED, parts, read_verdict
from eyechart.verdict import decide
from eyechart.verdict.planted import SCENARIOS, PlantedTables, Scenario, write_tables

Row = dict[str, Any]


def measure(name: str, n: int, skills: int, settings: Row, seed: int) -> Row:
    """Return a row of ``CALIBRATION``: the classes of many skills of one planted scenario."""
    case = SCENARIOS[name]
    tasks = {f"{i:03d}": n for i in range(skills)}
    rng = generator("calibration", seed, name, n)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tables = write_tables(root, "planted", "drawn", case, tasks, rng)
        output = root / "results/verdict/planted.parquet"
        decide.main(command(tables, case, "planted", output, settings, seed))
        found = read_verdict(output)
    classes = found.skills["verdict"]
    right = classes.is_in(case.right)
    wrong = ~right & (classes != UNDECIDED)
    return {
        "scenario": name,
        "expected": ", ".join(case.right),
        "choices": case.choices,
        "n": n,
        "skills": skills,
        "right": right.mean(),
        "undecided": (~right & ~wrong).mean(),
        "wrong": wrong.mean(),
        "wrong_classes": ", ".join(sorted(set(classes.filter(wrong)))),
        "coverage": coverage(found.values),
        "rejected": rejected(found.differences, case),
    }


def coverage(values: pl.DataFrame) -> float:
    """Return the share of intervals that hold the mean over all skills, which is nearly exact."""
    truth = pl.col("value").mean().over("stage")
    held = values.select((pl.col("ci_low") <= truth) & (truth <= pl.col("ci_high")))
    return float(held.to_series().mean())  # type: ignore[arg-type]


def rejected(differences: pl.DataFrame, case: Scenario) -> float | None:
    """Return the share of tests with p < 0.05, where nothing is planted and all nulls are true."""
    if case.holds or not len(differences):
        return None
    return float((differences["p"] < 0.05).mean())  # type: ignore[arg-type]


def command(
    tables: PlantedTables, case: Scenario, model: str, output: Path, settings: Row, seed: int
) -> list[str]:
    """Return the command line of ``decide``."""
    full = {"encoder": READ, "blind": "blank", "patterns": {}} | settings
    words = ["--model", model, "--kind", case.kind, "--contains", "", "--card", str(tables.card)]
    for flag in decide.LISTS:
        words += [f"--{flag}", *map(str, getattr(tables, flag, []))]
    words += ["--settings", json.dumps(full), "--seed", str(seed)]
    for flag, path in zip(("output", "classes", "differences"), parts(output), strict=True):
        words += [f"--{flag}", str(path)]
    return words


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the flags; all are required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--skills", required=True, type=int, help="per scenario and number of items"
    )
    parser.add_argument("--items", required=True, type=int, nargs="+", help="numbers of items")
    parser.add_argument("--settings", required=True, type=json.loads, help="alpha and margin")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Run the step."""
    args = parse_args(argv)
    rows = [
        measure(name, n, args.skills, args.settings, args.seed)
        for name in SCENARIOS
        for n in args.items
    ]
    write_table(args.output, pl.DataFrame(rows).to_arrow().cast(CALIBRATION))


if __name__ == "__main__":
    errors.run(main)
