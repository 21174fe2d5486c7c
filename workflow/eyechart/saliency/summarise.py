"""Summarise saliency: whether maps show the tokens that answers depend on, and shares in regions.

Reads ``curves.parquet`` of a model on a dataset. Writes means over items, each with its control:
deletion in random orders, or the region of another item.

    python -m eyechart.saliency.summarise --model tiny_llava --dataset clevr \
        --curves results/saliency/tiny_llava/clevr/curves.parquet --seed 7 \
        --settings '{"draws": 1000}' --output results/saliency/tiny_llava/clevr/summary.parquet
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.core.address import sort_key
from eyechart.core.randomness import generator
from eyechart.core.step import Json, command
from eyechart.statistics.bootstrap import GroupBootstrap
from eyechart.statistics.intervals import FEW, mean_interval
from eyechart.statistics.sign_flip import sign_flip_exact, sign_flip_normal
from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.notes import read_noted, write_noted
from eyechart.tables.saliency import CURVES, DROP, RATIO, SUMMARY

UNIT = 1000  # resolution of values in the exact test
MANY = 500  # number of groups from which the normal approximation replaces the exact distribution
CONTROLS = {DROP: "random_drop", RATIO: "moved_ratio"}

Row = dict[str, Any]


def summary(curves: pl.DataFrame, draws: int, seed: int) -> Iterator[Row]:
    """Yield the rows of all tasks, methods and addresses, without q."""
    keys = ["task", "method", "address"]
    parts = dict(iter(curves.group_by(keys)))
    for key in sorted(parts, key=lambda k: (k[0], k[1], sort_key(str(k[2])))):
        for metric, control in CONTROLS.items():
            own = parts[key].drop_nulls([metric, control]).sort("item_id")
            if len(own):
                named = dict(zip(keys, key, strict=True)) | {"metric": metric}
                both = own[metric].to_numpy(), own[control].to_numpy()
                rng = generator("saliency", seed, *map(str, named.values()))
                yield named | measured(*both, own["group"].to_numpy(), draws, rng)


def measured(
    value: np.ndarray, control: np.ndarray, groups: np.ndarray, draws: int, rng: np.random.Generator
) -> Row:
    """Return the statistics of a metric and its control on the same items."""
    boot = GroupBootstrap(groups, draws, rng)
    found = boot.means(np.stack([value, value - control], axis=1))
    ends = np.stack([found.low, found.high], axis=1)
    if boot.g < FEW:  # too few for a bootstrap
        ends = np.array([mean_interval(own, groups) for own in (value, value - control)])
    (low, high), (least, most) = [[known(end) for end in own] for own in ends]
    exact = boot.g < MANY
    test = sign_flip_exact if exact else sign_flip_normal
    return {
        "value": float(found.value[0]),
        **{"ci_low": low, "ci_high": high, "control_value": float(control.mean())},
        "difference": float(found.value[1]),
        **{"difference_low": least, "difference_high": most},
        "p": test(value, control, groups, *((UNIT,) if exact else ())),
        "n": len(value),
        "groups": boot.g,
    }


def known(value: float) -> float | None:
    """Return a number if it is finite, otherwise None."""
    return float(value) if np.isfinite(value) else None


@command
def main(
    *, model: str, dataset: str, curves: Path, settings: Json, seed: int, output: Path
) -> None:
    """Write the summary, with the notes of the curves."""
    table, notes = read_noted(curves, CURVES)
    rows = list(summary(pl.DataFrame(table), settings["draws"], seed))
    q = benjamini_hochberg(np.array([row["p"] for row in rows]))
    named = {"model": model, "dataset": dataset}
    done = [named | row | {"q": float(own)} for row, own in zip(rows, q, strict=True)]
    write_noted(output, pa.Table.from_pylist(done, SUMMARY), notes)


if __name__ == "__main__":
    main()
