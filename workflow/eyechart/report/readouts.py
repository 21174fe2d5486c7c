"""What can be read of each model without its words: tables of readouts, checked, and laid out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.address import DECODER  # it holds no image tokens
from eyechart.errors import UserError
from eyechart.report.behaviour import BLIND, SHOWN, SIGHTED
from eyechart.report.check_scores import check_scores
from eyechart.report.places import ROOMS, order, room
from eyechart.tables.parquet import read_table
from eyechart.tables.readouts import NOTE, READ, READOUTS, SHUFFLED
from eyechart.tables.regions import SEEN
from eyechart.tables.row_checks import absent, refuse
from eyechart.tables.scores import SCORES

TOLERANCE = 1e-6  # p and q are stored as float64; anything larger is another number
KEY = ["task", "seen", "address", "readout"]
CONTROL = {"value": "control", "ci_low": "control_low", "ci_high": "control_high"}
NAMES = {  # of tasks and readouts, for people
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


@dataclass(frozen=True)
class Readout:
    """What was read of one model on one dataset.

    ``points`` has a row per task, way to see, address and readout, its control beside it; ``said``
    the model's own accuracies, sighted and blind, by task (nothing, if it does not answer);
    ``unread`` and ``notes`` say what could not be read: see ``eyechart.tables.readouts.NOTE``.
    """

    model: str
    dataset: str
    points: list[Row]
    said: dict[str, dict[str, Row]]
    unread: list[Row]
    notes: list[str]

    def tasks(self) -> list[str]:
        """Give the tasks that were read, in the order of the tables."""
        there = {row["task"] for row in self.points}
        return [task for task in READ if task in there]

    def of(self, task: str) -> list[Row]:
        """Give the points of one task, by how it is seen, then along the model."""
        return [row for row in self.points if row["task"] == task]

    def blind(self) -> str | None:
        """Give the condition that stands for blindness, or None where none was asked."""
        asked = {condition for rows in self.said.values() for condition in rows}
        return next((condition for condition in BLIND if condition in asked), None)


def read_readouts(readouts: Sequence[Path], scores: Sequence[Path]) -> list[Readout]:
    """Read and check all tables, sorted by dataset and model; paths name model and dataset.

    Parameters
    ----------
    readouts : sequence of Path
        ``<model>/<dataset>.parquet``.
    scores : sequence of Path
        Of the same models and datasets, as far as the models answer; others are left alone.

    Raises
    ------
    UserError
        If a row is of another model or dataset than its path says, or a number stands alone.
    """
    said = {(path.parent.name, path.stem): path for path in scores}
    found = []
    for path in sorted(readouts, key=lambda path: (path.stem, path.parent.name)):
        pair = path.parent.name, path.stem
        table = read_table(path, READOUTS.names)
        rows = pl.DataFrame(table)
        for names in rows.select("model", "dataset").unique().iter_rows():
            if names != pair:
                raise UserError(f"{path}: a row is of {' on '.join(names)}, not of its path")
        check_readouts(path, rows)
        note = json.loads((table.schema.metadata or {}).get(NOTE, b'{"unread": [], "notes": []}'))
        answers = _said(said[pair]) if pair in said else {}
        found.append(Readout(*pair, _points(rows), answers, note["unread"], note["notes"]))
    return found


def check_readouts(path: Path, rows: pl.DataFrame) -> None:
    """Refuse a table of readouts in which a number stands alone.

    Raises
    ------
    UserError
        Naming file and row, if a row is there twice; a value has no n, groups, chance or interval;
        a readout has no control; or one is compared with answers without a paired test.
    """
    rows = rows.with_row_index("row")
    _refuse(path, rows, pl.struct(KEY).is_duplicated(), "the same readout is there twice")
    for field in ("value", "n", "groups", "chance", "ci_low", "ci_high"):
        _refuse(path, rows, absent(field), f"a readout without {field!r}")
    control = pl.col("readout").str.ends_with(SHUFFLED)
    own = rows.filter(~control)
    named = rows.filter(control).with_columns(pl.col("readout").str.strip_suffix(SHUFFLED))
    alone = own.join(named.select(KEY), on=KEY, how="anti", maintain_order="left")
    _refuse(path, alone, pl.lit(True), "its control is missing, the row of shuffled tokens")
    compared = own.filter(pl.col("answer").is_not_null())
    for field in ("difference", "p", "q"):
        _refuse(path, compared, absent(field), f"compared without its paired test ({field!r})")
    below = pl.col("q") < pl.col("p") - TOLERANCE
    _refuse(path, compared, below, "q is below p, which no correction gives")


def _points(rows: pl.DataFrame) -> list[Row]:
    control = rows.filter(pl.col("readout").str.ends_with(SHUFFLED)).select(
        *("task", "seen", "address"),
        pl.col("readout").str.strip_suffix(SHUFFLED),
        *(pl.col(field).alias(name) for field, name in CONTROL.items()),
    )
    own = rows.join(control, on=KEY, how="inner", maintain_order="left")
    named = [row | {"room": room(row["address"])} for row in own.to_dicts()]
    return sorted(named, key=_place)


def _place(row: Row) -> tuple[Any, ...]:
    return SEEN.index(row["seen"]), order(row["address"]), row["readout"]


def _said(path: Path) -> dict[str, dict[str, Row]]:
    """Give the accuracy rows by task and condition: sighted, and those without the picture."""
    rows = pl.DataFrame(read_table(path, SCORES.names))
    check_scores(path, rows)
    found: dict[str, dict[str, Row]] = {}
    for row in rows.filter(pl.col("metric") == "accuracy").to_dicts():
        if row["condition"] in (SIGHTED, *BLIND):
            found.setdefault(row["task"], {})[row["condition"]] = row
    return found


def lines(readout: Readout) -> list[Row]:
    """Give the rows of the page's table: one per task, way to see and readout.

    Returns
    -------
    list of dict
        ``at`` holds the last address of each room; ``highest`` the highest of all, which is high by
        luck too; ``sighted`` and ``blind`` the model's own accuracy, or None.
    """
    found = []
    blind = readout.blind()
    for task in readout.tasks():
        said = readout.said.get(task, {})
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in readout.of(task):
            groups.setdefault((row["seen"], row["readout"]), []).append(row)
        for (seen, name), rows in groups.items():
            last = {row["room"]: row for row in rows}  # rows come in the order of the model
            line: Row = {"task": NAMES.get(task, task), "seen": seen}
            line |= {"readout": NAMES.get(name, name)}
            line |= {"n": min(row["n"] for row in rows), "chance": rows[0]["chance"]}
            line |= {"at": {name: last.get(name) for name in ROOMS if name != DECODER}}
            line |= {"highest": max(rows, key=lambda row: float(row["value"]))}
            line |= {"sighted": said.get(SIGHTED), "blind": said.get(blind or "")}
            found.append(line)
    return found


def unread_sentences(readout: Readout) -> list[str]:
    """Give in words what could not be read, and why."""
    words = [
        f"{NAMES.get(row['task'], row['task'])}, {row['seen']}, at {row['stage']}: {row['items']} "
        f"of {row['of']} items cannot be read and do not count ({row['first'][0]}: {row['why']})."
        for row in readout.unread
    ]
    return [*words, *(f"{note[0].upper()}{note[1:]}." for note in readout.notes)]


def blind_name(readout: Readout) -> str:
    """Give what stood in front of the model where it is called blind."""
    blind = readout.blind()
    return SHOWN[blind] if blind else ""


def _named(row: Row) -> str:
    return f"row {row['row']} ({', '.join(row[name] for name in KEY)}):"


_refuse = partial(refuse, where=_named)
