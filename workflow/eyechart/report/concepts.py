"""What a model's vectors take a coloured word for: tables of concept similarity, checked and cut.

One column (address and span) per room is shown in full: of the vision encoder, the connector and
the language model the last address, a choice that no result had a part in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from eyechart.errors import UserError
from eyechart.report.places import ROOMS, order, room
from eyechart.tables.concepts import (
    ALL,
    ANSWER,
    CUES,
    OTHER,
    PROJECTION,
    SEPARATION,
    SHARES,
)
from eyechart.tables.parquet import read_table

NAMES = ("cues", "separation", "projection")
SCHEMAS = {"cues": CUES, "separation": SEPARATION, "projection": PROJECTION}
PREFERRED = {
    "lm": ("last", "image_mean"),
    "decoder": ("last",),
}  # spans to show in full, else in this order:
SPANS = ("image_mean", "cls", "last", "text_mean", "all_mean")
METHOD = "centroid"  # shown in charts; neighbours stand in the tables


class Place(NamedTuple):
    """A column that vectors stand in."""

    address: str
    span: str

    def __str__(self) -> str:
        return f"{self.address}/{self.span}"


@dataclass(frozen=True)
class Concepts:
    """The three tables of one model on one dataset, see ``eyechart.tables.concepts``."""

    model: str
    dataset: str
    cues: pl.DataFrame
    separation: pl.DataFrame
    projection: pl.DataFrame

    @property
    def names(self) -> list[str]:
        """The colours, by name."""
        return sorted(self.projection["concept"].drop_nulls().unique())

    @property
    def shown(self) -> int:
        """With how many components the nearest colours of the projection were found, at most."""
        return int(self.projection["components"].max())  # type: ignore[arg-type]

    def places(self) -> list[Place]:
        """Give all columns in the order of the model."""
        own = self.cues.filter(pl.col("address") != ANSWER).select("address", "span").unique()
        return sorted((Place(*row) for row in own.iter_rows()), key=lambda p: (order(p[0]), p[1]))

    def one_per_room(self) -> list[Place]:
        """Give the last address of each room, with the span that says most about it."""
        found = []
        for name in ROOMS:
            here = [place for place in self.places() if room(place.address) == name]
            wanted = PREFERRED.get(name, SPANS)
            spans = [s for s in (*wanted, *SPANS) if any(place.span == s for place in here)]
            spans = spans or sorted({place.span for place in here})
            found += [p for p in here if p.span == spans[0]][-1:] if here else []
        return found

    def prompt(self, table: pl.DataFrame, place: Place) -> str:
        """Give which rows of a column tell of it: all prompts together, or the first prompt."""
        there = table.filter(address=place.address, span=place.span)["prompt"].unique().sort()
        return ALL if ALL in there else str(there[0])

    def column(self, name: str, place: Place) -> pl.DataFrame:
        """Give the rows of a table (``cues``, …) of a column, of one way of asking."""
        table: pl.DataFrame = getattr(self, name)
        own = table.filter(address=place.address, span=place.span)
        return own.filter(prompt=self.prompt(own, place))

    def answers(self) -> pl.DataFrame:
        """Give the rows of answers, of one way of asking; none if the model was not asked."""
        if not len(self.cues.filter(address=ANSWER)):
            return self.cues.clear()
        return self.column("cues", Place(ANSWER, ""))


def read_concepts(paths: Sequence[Path]) -> list[Concepts]:
    """Read and check tables ``results/concepts/<model>/<dataset>/{cues,…}.parquet``.

    Returns
    -------
    list of Concepts
        Sorted by dataset and model.

    Raises
    ------
    UserError
        If one of the three is missing, a row is of another model or dataset than its path says, a
        share lacks interval, chance or n, or a separation lacks its control.
    """
    found = []
    folders = sorted({Path(path).parent for path in paths}, key=lambda p: (p.name, p.parent.name))
    given = {Path(path) for path in paths}
    for folder in folders:
        tables = {}
        for name in NAMES:
            path = folder / f"{name}.parquet"
            if path not in given:
                raise UserError(f"{folder}: {path.name} was not given, which belongs to the others")
            tables[name] = _read(path, SCHEMAS[name])
        found.append(Concepts(folder.parent.name, folder.name, **tables))
    return found


def _read(path: Path, schema: pa.Schema) -> pl.DataFrame:
    rows = pl.DataFrame(read_table(path, schema.names))
    expected = path.parent.parent.name, path.parent.name
    for names in rows.select("model", "dataset").unique().iter_rows():
        if names != expected:
            raise UserError(f"{path}: a row is of {' on '.join(names)}, not of its path")
    needed = {
        "cues": ("share", "ci_low", "ci_high", "chance", "n", "groups"),
        "separation": ("accuracy", "ci_low", "ci_high", "chance", "control", "n"),
        "projection": ("first", "second", "components"),
    }
    for column in needed[path.stem]:
        missing = rows.with_row_index("row").filter(pl.col(column).is_null())
        if len(missing):
            row, address = missing.select("row", "address").row(0)
            raise UserError(f"{path}: row {row} ({address}): {column} is null, expected a number")
    return rows


def letters(names: Sequence[str]) -> dict[str, str]:
    """Give each name one or two letters of its own, for marks that are told apart without colour.

    >>> letters(["blue", "brown", "black", "red"])
    {'blue': 'b', 'brown': 'br', 'black': 'bl', 'red': 'r'}
    """
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        tries = [name[0], *(name[0] + letter for letter in name[1:] if letter.isalnum())]
        found[name] = next((t for t in tries if t not in found.values()), str(number))
    return found


def summary(concepts: Concepts) -> list[dict[str, Any]]:
    """Give a line per column, and one of the answers: who leads, by how much, and what is needed.

    Shares are those with :attr:`Concepts.shown` components (fewer where there are fewer), by
    centroids and by neighbours.
    """
    lines = []
    for place in concepts.places():
        cues = concepts.column("cues", place)
        n = min(concepts.shown, int(cues["components"].max()))  # type: ignore[arg-type]
        apart = concepts.column("separation", place).filter(components=n)
        line: dict[str, Any] = {"address": place.address, "span": place.span, "n": n}
        line |= {"at": _by_cue(cues.filter(components=n, method=METHOD))}
        line |= {"voted": _by_cue(cues.filter(components=n, method="knn"))}
        line |= {"lead": _lead(line["at"]), "separation": apart.row(0, named=True)}
        lines.append(line)
    answers = concepts.answers()
    if len(answers):
        at = _by_cue(answers)
        line = {"address": ANSWER, "span": "", "n": None, "at": at, "voted": {}, "separation": None}
        lines.append(line | {"lead": _lead(at)})
    return lines


def _by_cue(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["cue"]: row for row in rows.iter_rows(named=True)}


def _lead(at: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Give the row of the leading cue, which holds its test against the next."""
    return next(
        (at[cue] for cue in SHARES if cue != OTHER and at.get(cue, {}).get("against")), None
    )
