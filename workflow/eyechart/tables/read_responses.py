"""Load the responses of a model to a dataset, and check that they belong together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.parquet import read_table

SIGHTED = "sighted"

_ITEMS = ["item_id", "group", "choices", "answer", "task", "pair", "meta"]
_ANSWERS = ["model", "dataset", "condition", "item_id", "order", "predicted"]
_NUMBERS = ["scoring", "log_probability", "tokens", "unconditional"]
_TEXT = ["text", "parsed"]


def read_items(path: Path) -> pl.DataFrame:
    """Load the columns of a dataset's items that scoring needs; open questions have no choices.

    Raise a UserError if an item is duplicated, has the same choice twice or an answer that is not
    among its choices, or if a pair spans several groups.
    """
    items = pl.DataFrame(read_table(path, _ITEMS)).with_columns(pl.col("choices").fill_null([]))
    choices = pl.col("choices")
    astray = choices.list.len() > 0, ~choices.list.contains(pl.col("answer"))
    over_groups = pl.col("group").n_unique().over("pair") > 1
    mistakes = {
        "stands there twice": [pl.col("item_id").is_duplicated()],
        "has the same choice twice": [choices.list.n_unique() < choices.list.len()],
        "has an answer that is not among its choices": [pl.col("answer").is_not_null(), *astray],
        "is in a pair that spans several groups": [pl.col("pair").is_not_null(), over_groups],
    }
    for mistake, conditions in mistakes.items():
        wrong = items.filter(*conditions)
        if len(wrong):
            raise UserError(f"{path}: item {wrong['item_id'][0]!r} {mistake}")
    return items


def read_answers(
    paths: list[Path], model: str, dataset: str, items: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], dict[str, Path]]:
    """Load one table per condition, sorted by item and order; the file name is the condition.

    Raise a UserError if a table belongs to another model, dataset or condition; if an item is
    unknown or duplicated; if conditions differ in their items; or if ``sighted`` is missing, the
    baseline of every other condition. Result: the table and its path by condition, in the order of
    ``CONDITIONS``. A condition that does not apply to the model has no rows and is omitted.
    """
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem not in CONDITIONS:
            raise UserError(
                f"{path}: {path.stem!r} is not a condition; {nearest(path.stem, CONDITIONS)}"
            )
        if path.stem in named:
            raise UserError(f"{path}: condition {path.stem!r} is given twice")
        named[path.stem] = path
    tables = {}
    for condition in (c for c in CONDITIONS if c in named):
        expected = {"model": model, "dataset": dataset, "condition": condition}
        table = _read(named[condition], expected, items)
        if len(table):
            tables[condition] = table
    if tables and SIGHTED not in tables:
        raise UserError(
            f"{named[next(iter(tables))]}: there are no responses under 'sighted' to compare it "
            "with; pass their table to --answers too"
        )
    for condition, table in tables.items():
        _check_same(table, tables[SIGHTED], named[condition], named[SIGHTED])
    return tables, named


def read_predicted(
    path: Path, expected: Mapping[str, str], more: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the prediction for each item and order, sorted by both, and ``more`` columns.

    Raise a UserError if the table belongs to another model, dataset or condition than is expected.
    """
    table = pl.DataFrame(read_table(path, [*_ANSWERS, *more])).sort("item_id", "order")
    for column, value in expected.items():
        other = table.filter(pl.col(column) != value)
        if len(other):
            raise UserError(f"{path}: {column} is {other[column][0]!r}, expected {value!r}")
    return table


def _read(path: Path, expected: dict[str, str], items: pl.DataFrame) -> pl.DataFrame:
    table = read_predicted(path, expected, _NUMBERS + _TEXT)
    unknown = table.join(items, on="item_id", how="anti")
    if len(unknown):
        raise UserError(f"{path}: item {unknown['item_id'][0]!r} is not among the dataset's items")
    twice = table.filter(pl.struct("item_id", "order").is_duplicated())
    if len(twice):
        name, order = twice.select("item_id", "order").row(0)
        raise UserError(f"{path}: item {name!r} is answered twice in order {order}")
    return table


def _check_same(table: pl.DataFrame, sighted: pl.DataFrame, path: Path, other: Path) -> None:
    one, two = (t.select("item_id", "order") for t in (table, sighted))
    if one.equals(two):
        return
    for first, second, has, lacks in ((one, two, path, other), (two, one, other, path)):
        extra = first.join(second, on=["item_id", "order"], how="anti")
        if len(extra):
            name, order = extra.row(0)
            raise UserError(
                f"{lacks}: item {name!r} in order {order} is not answered, but it is answered in "
                f"{has}; conditions are compared on the same questions"
            )
