"""Tables of items laid out as (items, places); a place is a block and one of its heads, or all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from eyechart.tables.scores import ALL

MIXED = -1  # the head of rows that are the mean over all heads


def by_task(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Give each task's rows, and those of all tasks where there are several."""
    tasks = sorted(table["task"].unique())
    if len(tasks) > 1:
        yield ALL, table
    for task in tasks:
        yield task, table.filter(pl.col("task") == task)


def with_mean(table: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Add the mean over heads as a head of its own: that of the masses, not of their ratios."""
    keys = [c for c in ("item_id", "group", "address", "control") if c in table.columns]
    table = table.select([*keys, "head", *(pl.col(c).cast(pl.Float64) for c in columns)])
    mean = table.group_by(keys, maintain_order=True).agg(pl.col(c).mean() for c in columns)
    mixed = mean.with_columns(pl.lit(MIXED, dtype=table["head"].dtype).alias("head"))
    return pl.concat([table, mixed.select(table.columns)])


def pivot(table: pl.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, list[tuple[str, int]]]:
    """Give a column as (items, places), the items' groups, and the places: address and head."""
    items = table.select("item_id", "group").unique(maintain_order=True).sort("item_id")
    places = sorted(table.select("address", "head").unique().rows(), key=_place)
    return _wide(table, column, items, places), items["group"].to_numpy(), places


def aligned(table: pl.DataFrame, column: str, like: pl.DataFrame) -> np.ndarray:
    """Give a column laid out as ``pivot`` lays out another table; NaN where there is no row."""
    items = like.select("item_id", "group").unique(maintain_order=True).sort("item_id")
    places = sorted(like.select("address", "head").unique().rows(), key=_place)
    return _wide(table, column, items, places)


def _wide(
    table: pl.DataFrame, column: str, items: pl.DataFrame, places: list[tuple[str, int]]
) -> np.ndarray:
    row = {name: n for n, name in enumerate(items["item_id"])}
    place = {name: n for n, name in enumerate(places)}
    found = np.full((len(row), len(place)), np.nan)
    for item, address, head, value in table.select("item_id", "address", "head", column).rows():
        if item in row and (address, head) in place and value is not None:
            found[row[item], place[address, head]] = value
    return found


def _place(pair: tuple[str, int]) -> tuple[int, int]:
    return int(pair[0].rsplit(".", maxsplit=1)[-1]), pair[1]
