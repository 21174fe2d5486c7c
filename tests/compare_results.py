"""Compare two results folders value by value, for example before and after a refactoring.

    python tests/compare_results.py OLD NEW [--renamed map.json] [--tolerance 1e-6]

All Parquet tables under the folders of SECTIONS are compared by key: numbers must agree within the
tolerance, and everything else must be identical. Tables may have moved to a new folder (FOLDERS),
and a verdict with one column per stage is compared with the verdict in long form. The map may
contain

    {"columns": {"predicted": "response", "readouts:answer": "response"},
     "values": {"condition": {"sighted": "seen"}},
     "folders": {"scores": "behavior/metrics"},
     "files": {"maps.parquet": "attention_maps.parquet"},
     "ignored": ["why"]}

with the column names of OLD, limited to one section by a prefix; ``values`` renames entries of text
columns, and ``files`` renames parts of paths below a section's folder.
Prints the rows and the largest difference of each table, and exits with status 1 if any table
differs, is missing, or is only in NEW. It does not need eyechart.
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

SECTIONS = ("probes", "answers", "scores", "retrieval", "mmvp", "readouts", "concepts", "attention",
            "verdict")  # fmt: skip
FOLDERS = {  # old folder of a section, and its new folder
    "probes": "probing",
    "answers": "behavior/responses",
    "scores": "behavior/scores",
    "retrieval": "behavior/retrieval",
    "mmvp": "behavior/patterns",
    "readouts": "readout",
}
WHOSE = ("model", "dataset", "scope", "task", "condition")
KEYS = {  # columns that identify rows, by section; columns that a table lacks are ignored
    "probes": (*WHOSE, "address", "span", "probe", "seed", "kind", "id"),
    "answers": (*WHOSE, "item_id", "order"),
    "scores": (*WHOSE, "metric", "against", "kind", "answer"),
    "retrieval": (*WHOSE, "metric", "against"),
    "mmvp": ("model", "dataset", "pattern", "encoder", "vlm", "encoder_dataset", "vlm_dataset",
             "kind"),
    "readouts": (*WHOSE, "seen", "address", "readout", "item_id"),
    "concepts": (*WHOSE, "address", "span", "prompt", "method", "components", "cue", "id"),
    "attention": (*WHOSE, "item_id", "metric", "role", "address", "head", "region", "control",
                  "place", "rank", "number"),
    "verdict": ("dataset", "skill", "stage", "comparison"),
}  # fmt: skip
NUMBERED = "row within its key"
SKILL = ("model", "dataset", "skill", "band")
STAGE = ("value", "ci_low", "ci_high", "floor", "n", "address", "evidence")
DIFFERENCE = ("difference", "ci_low", "ci_high", "p", "q")
CLASS = ("kind", "contains", "seen", "n", "groups", "chance", "verdict", "rule", "why")
CHANGED = {"changed_value": "changed", "changed_ci_low": "changed_ci_low",
           "changed_ci_high": "changed_ci_high"}  # fmt: skip


@dataclass
class Names:
    """The names that changed from OLD to NEW; see the module's docstring."""

    columns: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def column(self, section: str, name: str) -> str:
        return self.columns.get(f"{section}:{name}", self.columns.get(name, name))

    def rename(self, section: str, table: pl.DataFrame) -> pl.DataFrame:
        """Return an OLD table with the names and text entries of NEW."""
        for name in table.columns:
            entries = self.values.get(f"{section}:{name}", self.values.get(name, {}))
            table = table.with_columns(pl.col(name).replace(entries)) if entries else table
        table = table.drop(name for name in self.ignored if name in table.columns)
        return table.rename({name: self.column(section, name) for name in table.columns})


@dataclass
class Found:
    """The result of comparing one table: the largest difference, and all faults."""

    rows: int = 0
    largest: float = 0.0
    wrong: list[str] = field(default_factory=list)


def compare_folders(old: Path, new: Path, names: Names, tolerance: float) -> dict[str, Found]:
    """Return the result of every table by its path in OLD, or in NEW if it is only there."""
    found: dict[str, Found] = {}
    met: set[Path] = set()
    for section in SECTIONS:
        before, after = (root / _folder(root, section, names) for root in (old, new))
        for path in sorted(before.rglob("*.parquet")):
            inner = path.relative_to(before)
            renamed = Path(*(names.files.get(part, part) for part in inner.parts))
            for target, table in _tables(path, after / renamed).items():
                name = str(path.relative_to(old).with_name(target.name))
                met.add(target)
                if not target.exists():
                    found[name] = Found(wrong=[f"{target} is missing"])
                    continue
                keys = [names.column(section, key) for key in KEYS[section]]
                own = names.rename(section, table)
                found[name] = compare(own, pl.read_parquet(target), keys, tolerance)
        for target in sorted(after.rglob("*.parquet")):
            if target not in met:
                found[str(target.relative_to(new))] = Found(wrong=["is in the new folder only"])
    return found


def _folder(root: Path, section: str, names: Names) -> str:
    """Return the folder of a section in a results folder, under its new name if there is one."""
    renamed = names.folders.get(section, FOLDERS.get(section, section))
    return renamed if (root / renamed).is_dir() else section


def _tables(path: Path, target: Path) -> dict[Path, pl.DataFrame]:
    """Return the OLD table by its path in NEW; for a verdict in wide form, three tables."""
    table = pl.read_parquet(path)
    beside = target.with_suffix(".classes.parquet")
    if "sighted_value" not in table.columns or not beside.exists():
        return {target: table}
    values, classes, differences = long_form(table)
    return {target: values, beside: classes,
            target.with_suffix(".differences.parquet"): differences}  # fmt: skip


def long_form(wide: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the values, classes and differences of a verdict with a column per number."""
    stages, comparisons = (
        [name.removesuffix(end) for name in wide.columns if name.endswith(end)]
        for end in ("_floor", "_difference")
    )
    values = [
        wide.filter(pl.col(f"{stage}_value").is_not_null()).select(
            *SKILL, "chance", pl.lit(stage).alias("stage"),
            *(pl.col(f"{stage}_{name}").alias(name) for name in STAGE),
        )
        for stage in stages
    ]  # fmt: skip
    differences = [
        wide.filter(pl.col(f"{two}_difference").is_not_null()).select(
            *SKILL,
            pl.lit(two).alias("comparison"),
            *(pl.col(f"{two}_{name}").alias(name) for name in DIFFERENCE),
        )
        for two in comparisons
    ]
    classes = wide.select(*SKILL, *CLASS, *CHANGED).rename(CHANGED)
    return pl.concat(values), classes, pl.concat(differences)


def compare(old: pl.DataFrame, new: pl.DataFrame, keys: list[str], tolerance: float) -> Found:
    """Compare two tables with the same column names; NEW may have additional columns."""
    found = Found(rows=len(old))
    lost = [name for name in old.columns if name not in new.columns]
    if lost:
        found.wrong.append(f"has no column {', '.join(lost)}")
    shared = [name for name in old.columns if name in new.columns]
    keys = [name for name in keys if name in shared]
    old, new = (_numbered(table.select(shared), keys) for table in (old, new))
    keys = [*keys, NUMBERED]
    for one, other, where in ((old, new, "new"), (new, old, "old")):
        alone = one.join(other, on=keys, how="anti", nulls_equal=True)
        if len(alone):
            first = _key(alone.row(0, named=True), keys)
            found.wrong.append(f"{len(alone)} rows are not in the {where} table, such as {first}")
    both = old.join(new, on=keys, how="inner", nulls_equal=True, suffix=" (new)")
    for name in shared:
        if name not in keys:
            _compare_column(found, both, name, keys, tolerance)
    return found


def _numbered(table: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Return a table with rows of the same key numbered, and all integers of one type."""
    number = pl.int_range(pl.len()).over(keys) if keys else pl.int_range(pl.len())
    table = table.with_columns(pl.col(pl.Int8, pl.Int16, pl.Int32).cast(pl.Int64))
    return table.with_columns(number.alias(NUMBERED))


def _compare_column(
    found: Found, both: pl.DataFrame, name: str, keys: list[str], tolerance: float
) -> None:
    pairs = list(zip(both[name].to_list(), both[f"{name} (new)"].to_list(), strict=True))
    gaps = [difference(one, other) for one, other in pairs]
    largest = max(gaps, default=0.0)
    found.largest = max(found.largest, largest)
    if largest > tolerance:
        row = gaps.index(largest)
        count = sum(gap > tolerance for gap in gaps)
        one, other = pairs[row]
        where = _key(both.row(row, named=True), keys)
        found.wrong.append(f"{name} in {count} rows, most at {where}: {one!r}, {other!r}")


def difference(one: Any, other: Any) -> float:
    """Return the difference of two entries; infinity for different texts or if one is missing."""
    if one == other:
        return 0.0
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max(map(difference, one, other), default=0.0)
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers) and not isinstance(one, bool):
        if math.isnan(one) and math.isnan(other):
            return 0.0
        gap = abs(one - other)
        return math.inf if math.isnan(gap) else gap
    return math.inf


def _key(row: dict[str, Any], keys: list[str]) -> str:
    return ", ".join(f"{k} {row[k]}" for k in keys if k != NUMBERED and row[k] not in (None, ""))


def report(found: dict[str, Found]) -> list[str]:
    """Return one line per table, followed by its faults."""
    lines = []
    for name, one in found.items():
        lines.append(f"{name}: {one.rows} rows, largest difference {one.largest:.3g}")
        lines += [f"  DIFFERS: {text}" for text in one.wrong]
    differing = sum(bool(one.wrong) for one in found.values())
    return [*lines, f"{len(found)} tables, {differing} differ"]


def main(argv: list[str]) -> int:
    """Compare two folders, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--renamed", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-6)
    args = parser.parse_args(argv)
    names = Names(**json.loads(args.renamed.read_text())) if args.renamed else Names()
    found = compare_folders(args.old, args.new, names, args.tolerance)
    print("\n".join(report(found)))
    return 1 if not found or any(one.wrong for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
