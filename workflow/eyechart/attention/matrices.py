"""Pivot tables of items into matrices (items, columns), with a column per block and head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from eyechart.core.address import sort_key
from eyechart.tables.scores import ALL

MIXED = -1  # head index of the mean over all heads
PLACE = ["address", "head"]


def by_task(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the rows of all tasks together, if there are several, then those of each task."""
    tasks = sorted(table["task"].unique())
    if len(tasks) > 1:
        yield ALL, table
    for task in tasks:
        yield task, table.filter(pl.col("task") == task)


def with_mean(table: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Add the mean over heads as an extra head; masses are averaged, not their ratios."""
    keys = [c for c in ("item_id", "group", "address", "control") if c in table.columns]
    table = table.select([*keys, "head", *(pl.col(c).cast(pl.Float64) for c in columns)])
    mean = table.group_by(keys, maintain_order=True).agg(pl.col(c).mean() for c in columns)
    mixed = mean.with_columns(pl.lit(MIXED, dtype=table["head"].dtype).alias("head"))
    return pl.concat([table, mixed.select(table.columns)])


def pivot(table: pl.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, list[tuple[str, int]]]:
    """Return a column as a matrix, with each row's group and each column's address and head."""
    items = table.select("item_id", "group").unique(maintain_order=True).sort("item_id")
    places = sorted(table.select("address", "head").unique().rows(), key=_place)
    return _wide(table, column, items, places), items["group"].to_numpy(), places


def aligned(table: pl.DataFrame, column: str, like: pl.DataFrame) -> np.ndarray:
    """Return a column as a matrix in another table's layout, NaN for missing rows."""
    items = like.select("item_id", "group").unique(maintain_order=True).sort("item_id")
    places = sorted(like.select("address", "head").unique().rows(), key=_place)
    return _wide(table, column, items, places)


def _wide(
    table: pl.DataFrame, column: str, items: pl.DataFrame, places: list[tuple[str, int]]
) -> np.ndarray:
    rows = items.select("item_id").with_row_index("row")
    columns = pl.DataFrame(places, schema={k: table[k].dtype for k in PLACE}, orient="row")
    kept = table.join(rows, on="item_id").join(columns.with_row_index("column"), on=PLACE)
    found = np.full((len(rows), len(columns)), np.nan)
    values = kept[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    found[kept["row"].to_numpy(), kept["column"].to_numpy()] = values
    return found


def _place(pair: tuple[str, int]) -> tuple[tuple[int, int, int, str], int]:
    return sort_key(pair[0]), pair[1]
