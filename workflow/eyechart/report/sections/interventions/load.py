"""The effects of interventions in a model on a dataset, for the three charts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.address import parse, sort_key
from eyechart.core.errors import UserError, nearest
from eyechart.report.checking import Checker, absent, below
from eyechart.report.files import check_pair, identify
from eyechart.tables.interventions import BEST, EFFECTS, NOISE, RIGHT, TO_DONOR
from eyechart.tables.notes import read_noted

Row = dict[str, Any]
NUMBERS = (
    *("value", "ci_low", "ci_high", "control_value"),
    *("difference", "difference_low", "difference_high", "p", "q", "n", "groups"),
)
TOKENS = {
    "image": "image",
    "referent": "referent",
    "question": "question",
    "last": "answer position",
}
CONTROLS = {
    "same_answer": "donor of the same answer",
    "none": "unedited answer",
    "other_object": "another object",
    "random": "random subspaces",
    "permuted": "permuted labels",
    "swap": "donor's image as it is",
}
ALONE, WINDOW, ONWARDS = RUNS = ("one block", "a window of blocks", "a block and all later ones")


@dataclass(frozen=True)
class Intervened:
    """One model on one dataset; ``rows`` are effects at single addresses, without `best`."""

    model: str
    dataset: str
    rows: pl.DataFrame
    notes: dict[str, str]

    def missing(self) -> list[str]:
        """Return sentences about missing results."""
        said = [self.notes[name] for name in ("reason", "note") if self.notes.get(name)]
        return said or ([] if len(self.rows) else ["no item was answered under an edit"])

    def patches(self) -> list[Row]:
        """Return the effects of other images' states on answers, by task, tokens and address."""
        kept = self.rows.filter(intervention="patch", direction=NOISE, metric=TO_DONOR)
        return sorted(kept.to_dicts(), key=lambda r: (_first(r), _rank(TOKENS, r), _at(r)))

    def knockouts(self) -> list[Row]:
        """Return the effects of cut attention, with the kind of ``run`` of blocks, alone or longer.

        Only the widest set of tokens that cannot attend is used. The last block alone also ends the
        run of a block and all later ones, so it is in both runs.
        """
        cut = self.rows.filter(intervention="knockout", metric=RIGHT).to_dicts()
        widest = min(
            (r["direction"] for r in cut), key=("text", "question", "last").index, default=""
        )
        cut = [r for r in cut if r["direction"] == widest]
        last = max((r["until"] for r in cut), key=sort_key, default="")
        inner = Counter(n for r in cut if r["until"] != last and (n := _length(r)) > 1)
        window = inner.most_common(1)[0][0] if inner else 0
        found = []
        for row in cut:
            kinds = {1: ALONE, window: WINDOW}.get(_length(row)), row["until"] == last and ONWARDS
            found += [row | {"run": kind} for kind in kinds if kind]
        return sorted(
            found, key=lambda r: (_first(r), _rank(TOKENS, r), RUNS.index(r["run"]), _at(r))
        )

    def erasures(self) -> list[Row]:
        """Return the effects of erased concepts, against random subspaces if there are any."""
        erased = self.rows.filter(intervention="erase", metric=RIGHT)
        kinds = set(erased["control"])
        kind = next((k for k in ("random", "permuted", "none") if k in kinds), "")
        rows = erased.filter(control=kind).to_dicts()
        return sorted(rows, key=lambda r: (_at(r), r["concept"], r["task"]))


def read_intervened(paths: Sequence[Path]) -> list[Intervened]:
    """Return the effects of every table, sorted by dataset and model.

    Raise a UserError if a row's model or dataset differs from its path, or if a row has a number
    without interval, control, test or n.
    """
    found = []
    for path in sorted(paths, key=lambda path: identify(path).pair[::-1]):
        table, notes = read_noted(path, EFFECTS)
        rows = pl.DataFrame(table)
        check_effects(path, rows)
        found.append(
            Intervened(*identify(path).pair, rows.filter(pl.col("address") != BEST), notes)
        )
    return found


def check_effects(path: Path, rows: pl.DataFrame) -> None:
    """Reject an effect without its context; raise a UserError that names file and row."""
    check_pair(path, rows.select("model", "dataset").unique().iter_rows())
    checker = Checker(path, rows, lambda r: f"{r['intervention']} at {r['address']}, {r['task']}")
    for name in NUMBERS:
        checker.refuse(absent(name), f"it has no {name!r}")
    checker.refuse(below("q", "p"), "its q is below its p, which no correction can produce")
    for name in sorted(set(rows["control"]) - set(CONTROLS)):
        raise UserError(f"{path}: control is {name!r}; {nearest(name, CONTROLS)}")


def _length(row: Row) -> int:
    first, last = (parse(row[name]).block or 0 for name in ("address", "until"))
    return last - first + 1


def _first(row: Row) -> str:
    return str(row["task"])


def _rank(names: dict[str, str], row: Row) -> int:
    return list(names).index(row["target"])


def _at(row: Row) -> tuple[int, int, int, str]:
    return sort_key(row["address"])
