"""Summarise attention to the image, and the block from which on the answer is settled.

Reads ``attention.parquet`` and ``lens.parquet`` of a model on a dataset. Writes means over items by
task, block, region role and head, with intervals and a control: other items' regions moved onto the
same images.

    python -m eyechart.attention.summarise --model tiny_llava --dataset cv_bench \
        --attention results/attention/tiny_llava/cv_bench/attention.parquet \
        --lens results/attention/tiny_llava/cv_bench/lens.parquet --seed 7 \
        --settings '{"draws": 2000}' \
        --output results/attention/tiny_llava/cv_bench/summary.parquet
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.attention.matrices import MIXED, aligned, by_task, pivot, with_mean
from eyechart.core import errors
from eyechart.core.randomness import generator
from eyechart.core.step import Json, command
from eyechart.statistics.bootstrap import GroupBootstrap, Means
from eyechart.statistics.testing import benjamini_hochberg, sign_test
from eyechart.tables.attention import ANSWER, ATTENTION, LENS, SUMMARY, WHOLE
from eyechart.tables.notes import read_noted, write_noted

Rows = list[dict[str, Any]]


class Summary:
    """The summary of one model on one dataset, computed from its tables.

    Parameters
    ----------
    draws : number of bootstrap draws
    """

    def __init__(self, model: str, dataset: str, draws: int, seed: int) -> None:
        self.named = {"model": model, "dataset": dataset}
        self.draws, self.seed = draws, seed

    def attention(self, table: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield the rows of image mass, and of the ratios of regions by role."""
        for task, part in by_task(table):
            own = part.filter(~pl.col("control"))
            whole = own.filter(pl.col("region") == WHOLE)
            if len(whole):
                yield from self.image_mass(task, whole)
            there = part.filter(pl.col("region") != WHOLE)
            for role in there["role"].unique().sort():
                yield from self.ratios(task, role, there.filter(pl.col("role") == role))

    def image_mass(self, task: str, whole: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield the rows of image tokens' share of attention; chance is their share of all tokens.

        The test is against chance, which uniform attention would give.
        """
        mixed = with_mean(whole, ["mass", "area"])
        wide, groups, places = pivot(mixed, "mass")
        share, _, _ = pivot(mixed, "area")
        yield from self.rows(
            task, "image_mass", "image", places, groups, wide, against=share, chance=share
        )

    def ratios(self, task: str, role: str, part: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield the rows of the ratio for a role's regions; regions of one item are joined."""
        keys = ["item_id", "group", "address", "head", "control"]
        joined = part.group_by(keys, maintain_order=True).agg(
            pl.col("mass").cast(pl.Float64).sum(),
            pl.col("area").cast(pl.Float64).sum(),
            pl.col("image_mass").cast(pl.Float64).first(),
        )
        mixed = with_mean(joined, ["mass", "area", "image_mass"])
        value = pl.col("mass") / pl.col("image_mass") / pl.col("area")
        mixed = mixed.with_columns(pl.when(pl.col("image_mass") > 0).then(value).alias("ratio"))
        own, other = (mixed.filter(pl.col("control") == c) for c in (False, True))
        if own.is_empty():
            return
        wide, groups, places = pivot(own, "ratio")
        control = aligned(other, "ratio", own) if len(other) else None
        uniform = np.ones_like(wide)
        yield from self.rows(task, "ratio", role, places, groups, wide, control, uniform)

    def lens(self, table: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield the rows of the logit lens: at the answer position, then at image tokens."""
        table = table.with_columns(pl.lit(MIXED).alias("head"))
        chance = 1 / pl.col("log_probability").list.len()
        table = table.with_columns(chance.alias("chance"))
        for task, part in by_task(table):
            answers = part.filter(pl.col("place") == ANSWER)
            if len(answers):
                yield from self.answers(task, answers)
            for role in part.filter(pl.col("place") != ANSWER)["role"].unique().sort():
                here = part.filter(pl.col("role") == role)
                keys = ["item_id", "group", "address", "head"]
                mean = here.group_by(keys, maintain_order=True).agg(
                    pl.col("p_right").mean(), pl.col("chance").mean()
                )
                yield from self.one(task, "lens_p_right", role, mean, "p_right")

    def answers(self, task: str, part: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield the rows of the right choice's probability and of the share of settled answers."""
        block = pl.col("address").str.split(".").list.last().cast(pl.Int32)
        order = part.group_by("item_id").agg(block.min().alias("lowest"))
        part = part.join(order, on="item_id", maintain_order="left")
        settled = (block - pl.col("lowest") >= pl.col("first_layer")).cast(pl.Float64)
        part = part.with_columns(settled.alias("settled"))
        yield from self.one(task, "lens_p_right", ANSWER, part, "p_right")
        yield from self.one(task, "lens_settled", ANSWER, part, "settled")

    def one(
        self, task: str, metric: str, role: str, part: pl.DataFrame, column: str
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows for a column of the lens; probabilities come with a chance level.

        There is no test: a model that guesses confidently is below chance on most items and at
        chance on average, which a sign test would report as significant.
        """
        wide, groups, places = pivot(part, column)
        chance = pivot(part, "chance")[0] if column == "p_right" else None
        yield from self.rows(task, metric, role, places, groups, wide, chance=chance)

    def rows(
        self,
        task: str,
        metric: str,
        role: str,
        places: list[tuple[str, int]],
        groups: np.ndarray,
        values: np.ndarray,
        against: np.ndarray | None = None,
        chance: np.ndarray | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield a row per column of ``values``, tested ``against`` a reference; all are (n, m)."""
        draws = GroupBootstrap(
            groups, self.draws, generator("attention", self.seed, *self.named.values(), task)
        )
        found = draws.means(values)
        beside: Means | None = None
        differences = np.full_like(values, np.nan) if against is None else values - against
        apart, p = draws.means(differences), sign_test(differences, groups)
        if metric == "ratio" and against is not None:
            beside = draws.means(against)
        for m, (address, head) in enumerate(places):
            numbers = {
                "value": found.value[m],
                "ci_low": found.low[m],
                "ci_high": found.high[m],
                "chance": np.nan if chance is None else np.nanmean(chance[:, m]),
                "control": beside.value[m] if beside else np.nan,
                "difference": apart.value[m],
                "difference_low": apart.low[m],
                "difference_high": apart.high[m],
                "p": p[m],
            }
            yield {
                **self.named,
                **{"task": task, "metric": metric, "role": role, "address": address},
                "head": None if head == MIXED else head,
                **{name: known(value) for name, value in numbers.items()},
                "q": None,
                "n": int(found.n[m]),
                "groups": draws.g,
            }


def corrected(rows: Rows) -> Rows:
    """Fill in q by Benjamini-Hochberg, per metric and separately for blocks and heads.

    Metrics are separate because an effect that holds everywhere for one metric (images get less
    attention than their share of tokens) would otherwise admit false discoveries in the others.
    """
    families: dict[tuple[str, bool], Rows] = {}
    for row in rows:
        if row["p"] is not None:
            families.setdefault((row["metric"], row["head"] is not None), []).append(row)
    for tested in families.values():
        q = benjamini_hochberg(np.array([r["p"] for r in tested]))
        for row, value in zip(tested, q, strict=True):
            row["q"] = float(value)
    return rows


def known(value: float) -> float | None:
    """Return a number if it is finite, otherwise None."""
    return float(value) if np.isfinite(value) else None


@command
def main(
    *,
    model: str,
    dataset: str,
    attention: Path,
    lens: Path,
    output: Path,
    seed: int,
    settings: Json,
) -> None:
    """Write the summary, with notes on parts that the model does not support."""
    looked, attention_notes = read_noted(attention, ATTENTION)
    would, also = read_noted(lens, LENS)
    for path, table in ((attention, looked), (lens, would)):
        for pair in pl.DataFrame(table).select("model", "dataset").unique().rows():
            if pair != (model, dataset):
                raise errors.UserError(
                    f"{path}: a row is about {' on '.join(pair)}, expected {model} on {dataset}"
                )
    summary = Summary(model, dataset, settings["draws"], seed)
    rows = [*summary.attention(pl.DataFrame(looked)), *summary.lens(pl.DataFrame(would))]
    notes = {f"attention_{k}": v for k, v in attention_notes.items()} | {
        f"lens_{k}": v for k, v in also.items()
    }
    write_noted(output, pa.Table.from_pylist(corrected(rows), SUMMARY), notes)


if __name__ == "__main__":
    main()
