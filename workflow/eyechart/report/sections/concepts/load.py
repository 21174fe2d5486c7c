"""Tables of concept similarity: the colour that a model's vectors associate with a coloured word.

One column (address and span) per component of the model is shown in full: the last address, which
does not depend on any result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from eyechart.core.address import COMPONENTS, DECODER, LM, component, sort_key
from eyechart.core.errors import UserError
from eyechart.report.files import check_pair, identify
from eyechart.tables.concepts import ALL, ANSWER, CUES, OTHER, PROJECTION, SEPARATION, SHARES
from eyechart.tables.parquet import read_table

SCHEMAS = {"cues": CUES, "separation": SEPARATION, "projection": PROJECTION}
# Spans to show in full, by component; otherwise in the order of SPANS
PREFERRED = dict.fromkeys((LM, DECODER), ("last", "image_mean"))
SPANS = ("image_mean", "cls", "last", "text_mean", "all_mean")
METHOD = "centroid"  # shown in charts; neighbours are in the tables
NEEDED = {
    "cues": ("share", "ci_low", "ci_high", "chance", "n", "groups"),
    "separation": ("accuracy", "ci_low", "ci_high", "chance", "control", "n"),
    "projection": ("first", "second", "components"),
}


class AddressSpan(NamedTuple):
    """An address and span with compared vectors."""

    address: str
    span: str

    def __str__(self) -> str:
        return f"{self.address}/{self.span}"


@dataclass(frozen=True)
class Concepts:
    """The three tables of one model on one dataset; see ``eyechart.tables.concepts``."""

    model: str
    dataset: str
    cues: pl.DataFrame
    separation: pl.DataFrame
    projection: pl.DataFrame

    @property
    def names(self) -> list[str]:
        """The names of the colours."""
        return sorted(self.projection["concept"].drop_nulls().unique())

    @property
    def shown(self) -> int:
        """The maximum number of components used for the nearest colours of the projection."""
        return int(self.projection["components"].max())  # type: ignore[arg-type]

    def columns(self) -> list[AddressSpan]:
        """Return all columns in model order."""
        own = self.cues.filter(pl.col("address") != ANSWER).select("address", "span").unique()
        return sorted(
            (AddressSpan(*row) for row in own.iter_rows()), key=lambda c: (sort_key(c[0]), c[1])
        )

    def one_per_component(self) -> list[AddressSpan]:
        """Return the last address of each component, with its preferred span."""
        found = []
        for name in COMPONENTS:
            here = [column for column in self.columns() if component(column.address) == name]
            wanted = PREFERRED.get(name, SPANS)
            spans = [s for s in (*wanted, *SPANS) if any(column.span == s for column in here)]
            spans = spans or sorted({column.span for column in here})
            found += [c for c in here if c.span == spans[0]][-1:] if here else []
        return found

    def prompt(self, table: pl.DataFrame, column: AddressSpan) -> str:
        """Return the prompt with displayed rows: all prompts together, or the first prompt."""
        there = table.filter(address=column.address, span=column.span)["prompt"].unique().sort()
        return ALL if ALL in there else str(there[0])

    def rows(self, name: str, column: AddressSpan) -> pl.DataFrame:
        """Return the rows of a table (``cues``, …) for a column and one prompt."""
        table: pl.DataFrame = getattr(self, name)
        own = table.filter(address=column.address, span=column.span)
        return own.filter(prompt=self.prompt(own, column))

    def responses(self) -> pl.DataFrame:
        """Return the rows of responses for one prompt; none if there are no responses."""
        if not len(self.cues.filter(address=ANSWER)):
            return self.cues.clear()
        return self.rows("cues", AddressSpan(ANSWER, ""))


def read_concepts(paths: Sequence[Path]) -> list[Concepts]:
    """Read and check tables ``results/concepts/<model>/<dataset>/{cues,…}.parquet``.

    Raise a UserError if one of the three is missing, a row's model or dataset differs from its
    path, a share lacks interval, chance or n, or a separation lacks its control. The result is
    sorted by dataset and model.
    """
    found = []
    files = {(file.pair, file.table): file.path for file in map(identify, paths)}
    for pair in sorted({pair for pair, _ in files}, key=lambda pair: pair[::-1]):
        tables = {}
        for name, schema in SCHEMAS.items():
            if (pair, name) not in files:
                given = next(path for (other, _), path in files.items() if other == pair)
                raise UserError(f"{given.with_name(name)}.parquet was not given, but {given} was")
            path = files[pair, name]
            tables[name] = pl.DataFrame(read_table(path, schema.names))
            check_concepts(path, name, tables[name])
        model, dataset = pair
        found.append(Concepts(model, dataset, **tables))
    return found


def letters(names: Sequence[str]) -> dict[str, str]:
    """Return one or two letters for each name, for marks that are distinguishable without colour.

    >>> letters(["blue", "brown", "black", "red"])
    {'blue': 'b', 'brown': 'br', 'black': 'bl', 'red': 'r'}
    """
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        tries = [name[0], *(name[0] + letter for letter in name[1:] if letter.isalnum())]
        found[name] = next((t for t in tries if t not in found.values()), str(number))
    return found


def summary(concepts: Concepts) -> list[dict[str, Any]]:
    """Return one line per column, and one for responses: the leading cue and its lead.

    Shares are for :attr:`Concepts.shown` components (or as many as there are), by centroids and by
    neighbours.
    """
    lines = []
    for column in concepts.columns():
        cues = concepts.rows("cues", column)
        n = min(concepts.shown, int(cues["components"].max()))  # type: ignore[arg-type]
        apart = concepts.rows("separation", column).filter(components=n)
        line: dict[str, Any] = {"address": column.address, "span": column.span, "n": n}
        line |= {"at": _by_cue(cues.filter(components=n, method=METHOD))}
        line |= {"voted": _by_cue(cues.filter(components=n, method="knn"))}
        line |= {"lead": _lead(line["at"]), "separation": apart.row(0, named=True)}
        lines.append(line)
    responses = concepts.responses()
    if len(responses):
        at = _by_cue(responses)
        line = {"address": ANSWER, "span": "", "n": None, "at": at, "voted": {}, "separation": None}
        lines.append(line | {"lead": _lead(at)})
    return lines


def _by_cue(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["cue"]: row for row in rows.iter_rows(named=True)}


def _lead(at: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the row of the leading cue, which has its test against the runner-up."""
    return next(
        (at[cue] for cue in SHARES if cue != OTHER and at.get(cue, {}).get("against")), None
    )


def check_concepts(path: Path, table: str, rows: pl.DataFrame) -> None:
    """Reject a table with a missing number, or with a row of a different model or dataset.

    Raise a UserError that names file, row and column.
    """
    check_pair(path, rows.select("model", "dataset").unique().iter_rows())
    for column in NEEDED[table]:
        missing = rows.with_row_index("row").filter(pl.col(column).is_null())
        if len(missing):
            row, address = missing.select("row", "address").row(0)
            raise UserError(f"{path}: row {row} ({address}): {column} is null, expected a number")
