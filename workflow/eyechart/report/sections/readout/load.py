"""Readouts: answers from a model's representations, with the model's own responses."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.address import COMPONENTS, component, sort_key
from eyechart.report.checking import Checker, absent, below
from eyechart.report.files import Inputs, check_pair, identify
from eyechart.report.labels import BLIND, CONDITION_NAMES, SIGHTED
from eyechart.report.sections.behavior.check import check_scores
from eyechart.tables.parquet import read_table
from eyechart.tables.readouts import NOTE, READOUTS, SHUFFLED, TASKS
from eyechart.tables.regions import SEEN
from eyechart.tables.scores import SCORES

CONTROL = {"value": "control", "ci_low": "control_low", "ci_high": "control_high"}
NAMES = {  # display names of tasks and readouts
    "depth_order": "depth order",
    "semantic_correspondence": "semantic correspondence",
    "functional_correspondence": "functional correspondence",
    "low_level_matching": "low-level matching",
    "odd_one_out": "3D odd one out",
    "art_style": "art style",
    "points": "cosine at points",
    "gram": "Gram matrices",
    "mean": "mean of tokens",
    "cls": "class token",
    "depth_linear": "linear depth head",
    "depth_dpt": "depth head over blocks",
}

Row = dict[str, Any]
KEY = ["task", "seen", "address", "readout"]


@dataclass(frozen=True)
class Readout:
    """The readouts of one model on one dataset.

    ``points`` has one row per task, value of ``seen``, address and readout; each row includes the
    control. ``responses`` has the model's own sighted and blind accuracies by task (empty if it
    does not respond). ``unread`` and ``notes`` describe what could not be read; see
    ``eyechart.tables.readouts.NOTE``.
    """

    model: str
    dataset: str
    points: list[Row]
    responses: dict[str, dict[str, Row]]
    unread: list[Row]
    notes: list[str]
    reads: tuple[str, ...] = ()  # the vision outputs that the connector reads

    def tasks(self) -> list[str]:
        """Return the tasks that were read out, in table order."""
        there = {row["task"] for row in self.points}
        return [task for task in TASKS if task in there]

    def of(self, task: str) -> list[Row]:
        """Return the points of one task, by ``seen``, then in model order."""
        return [row for row in self.points if row["task"] == task]

    def blind(self) -> str | None:
        """Return the blind condition, or None if none was run."""
        run = {condition for rows in self.responses.values() for condition in rows}
        return next((condition for condition in BLIND if condition in run), None)


def read_readouts(inputs: Inputs) -> list[Readout]:
    """Read and check all tables, sorted by dataset and model; paths name model and dataset.

    Scores of models and datasets without readouts are ignored. Raise a UserError if a row's model
    or dataset differs from its path, or if a number lacks its context.
    """
    scored = {file.pair: file.path for file in inputs.of("scores")}
    reads, found = inputs.reads(), []
    for path in sorted(inputs.paths("readouts"), key=lambda path: identify(path).pair[::-1]):
        pair = identify(path).pair
        table = read_table(path, READOUTS.names)
        rows = pl.DataFrame(table)
        check_pair(path, rows.select("model", "dataset").unique().iter_rows())
        check_readouts(path, rows)
        note = json.loads((table.schema.metadata or {}).get(NOTE, b'{"unread": [], "notes": []}'))
        responses = _accuracies(scored[pair]) if pair in scored else {}
        notes = note["unread"], note["notes"]
        found.append(Readout(*pair, _points(rows), responses, *notes, reads.get(pair[0], ())))
    return found


def _points(rows: pl.DataFrame) -> list[Row]:
    control = rows.filter(pl.col("readout").str.ends_with(SHUFFLED)).select(
        *("task", "seen", "address"),
        pl.col("readout").str.strip_suffix(SHUFFLED),
        *(pl.col(field).alias(name) for field, name in CONTROL.items()),
    )
    own = rows.join(control, on=KEY, how="inner", maintain_order="left")
    named = [row | {"component": component(row["address"])} for row in own.to_dicts()]
    return sorted(named, key=_position)


def _position(row: Row) -> tuple[Any, ...]:
    return SEEN.index(row["seen"]), sort_key(row["address"]), row["readout"]


def _accuracies(path: Path) -> dict[str, dict[str, Row]]:
    """Return the accuracy rows by task and condition: sighted and blind."""
    rows = pl.DataFrame(read_table(path, SCORES.names))
    check_scores(path, rows)
    found: dict[str, dict[str, Row]] = {}
    for row in rows.filter(pl.col("metric") == "accuracy").to_dicts():
        if row["condition"] in (SIGHTED, *BLIND):
            found.setdefault(row["task"], {})[row["condition"]] = row
    return found


def lines(readout: Readout) -> list[Row]:
    """Return the rows of the page's table: one per task, value of ``seen`` and readout.

    Result: ``at`` has the last address of each component, ``highest`` the highest value of all
    (biased upward, as a maximum), and ``sighted`` and ``blind`` the model's own accuracy or None.
    """
    found = []
    blind = readout.blind()
    for task in readout.tasks():
        own = readout.responses.get(task, {})
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in readout.of(task):
            groups.setdefault((row["seen"], row["readout"]), []).append(row)
        for (seen, name), rows in groups.items():
            last = {row["component"]: row for row in rows}  # rows are in model order
            line: Row = {"task": NAMES.get(task, task), "seen": seen}
            line |= {"readout": NAMES.get(name, name)}
            line |= {"n": min(row["n"] for row in rows), "chance": rows[0]["chance"]}
            line |= {"at": {name: last.get(name) for name in COMPONENTS}}
            line |= {"highest": max(rows, key=lambda row: float(row["value"]))}
            line |= {"sighted": own.get(SIGHTED), "blind": own.get(blind or "")}
            found.append(line)
    return found


def unread_sentences(readout: Readout) -> list[str]:
    """Return sentences about items that could not be read out, with the reasons."""
    words = [
        f"{NAMES.get(row['task'], row['task'])}, {row['seen']}, at {row['stage']}: {row['items']} "
        f"of {row['of']} items cannot be read out and are not counted "
        f"({row['first'][0]}: {row['why']})."
        for row in readout.unread
    ]
    return [*words, *(f"{note[0].upper()}{note[1:]}." for note in readout.notes)]


def blind_name(readout: Readout) -> str:
    """Return the name of the blind condition."""
    blind = readout.blind()
    return CONDITION_NAMES[blind] if blind else ""


def check_readouts(path: Path, rows: pl.DataFrame) -> None:
    """Reject a readout table with a number that lacks its context.

    Raise a UserError that names file and row if a row is duplicated, if a value has no n, groups,
    chance or interval, if a readout has no control, or if it is compared with responses without a
    paired test.
    """
    checker = Checker(path, rows, lambda row: ", ".join(row[name] for name in KEY))
    rows = checker.rows
    checker.refuse(pl.struct(KEY).is_duplicated(), "the readout is duplicated")
    for field in ("value", "n", "groups", "chance", "ci_low", "ci_high"):
        checker.refuse(absent(field), f"a readout without {field!r}")
    control = pl.col("readout").str.ends_with(SHUFFLED)
    own = rows.filter(~control)
    named = rows.filter(control).with_columns(pl.col("readout").str.strip_suffix(SHUFFLED))
    alone = own.join(named.select(KEY), on=KEY, how="anti", maintain_order="left")
    checker.refuse(pl.lit(True), "its control is missing, the row of shuffled tokens", alone)
    compared = own.filter(pl.col("answer").is_not_null())
    for field in ("difference", "p", "q"):
        sentence = f"compared without its paired test ({field!r})"
        checker.refuse(absent(field), sentence, compared)
    checker.refuse(below("q", "p"), "q is below p, which no correction can produce", compared)
