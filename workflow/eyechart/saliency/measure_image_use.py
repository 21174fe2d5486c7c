"""Collect all stages' evidence on whether a model uses the image in one table.

Reads a model's ``inputs.parquet`` for all datasets and, if there are any, its responses with
``items``, attention summaries and intervention effects. Writes one row per number, each with its
control.

    python -m eyechart.saliency.measure_image_use --model tiny_llava \
        --inputs results/saliency/tiny_llava/clevr/inputs.parquet \
        --responses results/behavior/responses/tiny_llava/clevr/sighted.parquet \
            results/behavior/responses/tiny_llava/clevr/blank.parquet \
        --items results/datasets/clevr/items.parquet --attention --effects \
        --output results/saliency/tiny_llava.parquet
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.core.randomness import generator
from eyechart.core.step import Paths, command
from eyechart.plan import paths
from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.statistics.intervals import share_interval
from eyechart.tables.attention import SUMMARY as ATTENTION
from eyechart.tables.interventions import BEST, EFFECTS, MOVED
from eyechart.tables.notes import read_noted, write_noted
from eyechart.tables.read_responses import SIGHTED, read_answers, read_items
from eyechart.tables.saliency import CUT, IMAGE_USE, INPUTS, MASS, NEAREST, NORM, changed

DRAWS = 1000
Row = dict[str, Any]


def answer_changes(model: str, responses: Sequence[Path], items: Sequence[Path]) -> Iterator[Row]:
    """Yield the share of answers that change with the image, by dataset, condition and task."""
    tables = {_names(path)["dataset"]: read_items(path) for path in items}
    for dataset in dict.fromkeys(_names(path)["dataset"] for path in responses):
        own = [path for path in responses if _names(path)["dataset"] == dataset]
        found, _ = read_answers(own, model, dataset, tables[dataset])
        first = {
            condition: table.filter(order=0).select("item_id", condition="predicted").drop_nulls()
            for condition, table in found.items()
        }
        about = tables[dataset].select("item_id", "group", "task")
        for condition in [c for c in first if c != SIGHTED]:
            both = first[SIGHTED].join(first[condition], on="item_id", suffix="_other")
            both = both.join(about, on="item_id").sort("item_id")
            for (task,), part in sorted(both.group_by("task"), key=lambda k: str(k[0])):
                moved = (part["condition"] != part["condition_other"]).to_numpy().astype(float)
                named = {"dataset": dataset, "task": task, "metric": changed(condition)}
                yield named | _share(moved, part["group"].to_numpy())


def _share(values: np.ndarray, groups: np.ndarray) -> Row:
    low, high = share_interval(values, groups)
    ends = {"ci_low": low, "ci_high": high, "control_value": 0.0}  # a repeat changes nothing
    return {"value": float(values.mean()), **ends, "n": len(values), "groups": len(set(groups))}


def image_attention(summaries: Sequence[Path]) -> Iterator[Row]:
    """Yield the attention to image tokens by block, with their share of the prompt's tokens."""
    for path in summaries:
        rows = pl.DataFrame(read_noted(path, ATTENTION)[0]).filter(metric="image_mass")
        for row in rows.filter(pl.col("head").is_null()).to_dicts():
            kept = {name: row[name] for name in ("dataset", "task", "address", *_NUMBERS)}
            yield kept | {"metric": MASS, "control_value": row["chance"]}


def cut_effects(effects: Sequence[Path]) -> Iterator[Row]:
    """Yield the share of answers that change if, from a block on, text cannot attend to images."""
    for path in effects:
        rows = pl.DataFrame(read_noted(path, EFFECTS)[0])
        own = rows.filter(
            pl.col("address") != BEST,
            intervention="knockout",
            direction="text",
            target="image",
            metric=MOVED,
        )
        last = max((int(until.rsplit(".", 1)[-1]) for until in own["until"]), default=0)
        for row in own.filter(pl.col("until").str.ends_with(f".{last}")).to_dicts():
            kept = {name: row[name] for name in ("dataset", "task", "address", *_NUMBERS)}
            yield kept | {"metric": CUT, "control_value": row["control_value"]}


_NUMBERS = ("value", "ci_low", "ci_high", "n", "groups")


def token_metrics(model: str, tables: Sequence[Path]) -> Iterator[Row]:
    """Yield image tokens' norms relative to text, their nearest words, and the connector's rank.

    Weights belong to the model, so they are yielded once.
    """
    seen: set[tuple[str, str]] = set()
    for path in tables:
        rows = pl.DataFrame(read_noted(path, INPUTS)[0])
        for metric in (NORM, NEAREST):
            own = rows.filter(metric=metric).sort("item_id")
            if len(own):
                values, groups = own["value"].to_numpy(), own["group"].to_numpy()
                rng = generator("image use", model, metric)
                ((low, high),) = bootstrap_interval(values[None], groups, DRAWS, rng)
                yield {
                    **{"dataset": own["dataset"][0], "task": "", "metric": metric},
                    **{"value": float(values.mean()), "ci_low": float(low), "ci_high": float(high)},
                    "control_value": float(own["control"].to_numpy().mean()),
                    **{"n": len(own), "groups": own["group"].n_unique()},
                }
        for row in rows.filter(pl.col("item_id").is_null()).to_dicts():
            if (key := (row["metric"], row["address"])) not in seen:
                seen.add(key)
                named = {"metric": key[0], "address": key[1], "value": row["value"]}
                yield {**named, "control_value": row["control"], "n": 1, "groups": 1}


def _names(path: Path) -> dict[str, str]:
    found = paths.find(path, None)
    return found[1] if found else {}


@command
def main(
    *,
    model: str,
    inputs: list[Path],
    responses: Paths,
    items: Paths,
    attention: Paths,
    effects: Paths,
    output: Path,
) -> None:
    """Write the table; its note lists missing evidence."""
    rows = [
        *answer_changes(model, responses, items),
        *image_attention(attention),
        *cut_effects(effects),
    ]
    rows += token_metrics(model, inputs)
    parts = {"responses": responses, "attention": attention, "interventions": effects}
    missing = [f"no {name} of {model}" for name, given in parts.items() if not given]
    notes = [read_noted(path, INPUTS)[1].get("note", "") for path in inputs]
    said = "; ".join(filter(None, dict.fromkeys([*missing, *notes])))
    blank = {"dataset": "", "task": "", "address": ""}
    table = pa.Table.from_pylist([{"model": model, **blank, **row} for row in rows], IMAGE_USE)
    write_noted(output, table, {"note": said})


if __name__ == "__main__":
    main()
