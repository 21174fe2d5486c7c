"""Compare encoders with VLMs by pair accuracy per pattern, and correlate the two.

Reads any models' score tables of datasets with pairs, and the models' cards. Every encoder's table
is correlated with every VLM's over the patterns (tasks) that both have, so pass the encoders'
tables for MMVP-VLM and the VLMs' tables for MMVP.
Writes pair accuracies per model and pattern, and the correlations.

    python -m eyechart.behavior.compare_patterns \
        --scores results/behavior/scores/tiny_clip/mmvp_vlm.parquet \
            results/behavior/scores/tiny_llava/mmvp.parquet \
        --cards results/models/tiny_clip/card.json results/models/tiny_llava/card.json \
        --settings '{"bootstrap": 1000, "permutations": 362880}' --seed 7 \
        --patterns results/behavior/patterns/patterns.parquet \
        --correlations results/behavior/patterns/correlations.parquet
"""

import logging
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read_json
from eyechart.core.randomness import generator
from eyechart.core.step import Json, command
from eyechart.statistics.correlation import correlate
from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.read_responses import SIGHTED
from eyechart.tables.scores import ALL, CORRELATIONS, PATTERNS, SCORES

log = logging.getLogger(__name__)

KINDS = ("pearson", "spearman")


def read_patterns(paths: list[Path], kinds: dict[str, str]) -> pl.DataFrame:
    """Read sighted pair accuracies as rows of ``PATTERNS``, sorted by kind, model, dataset, task.

    Raise a UserError if a model has no card, or two tables have the same model and dataset.

    Parameters
    ----------
    paths : score tables; tables without pairs are left out with a warning
    kinds : ``encoder`` or ``vlm``, by model
    """
    found = pl.DataFrame(PATTERNS.empty_table())
    for path in paths:
        scores = pl.DataFrame(read_table(path, SCORES.names))
        pairs = scores.filter(condition=SIGHTED, metric="pair_accuracy")
        if not len(pairs):
            log.warning("%s: no pairs; left out", path)
            continue
        model, dataset = pairs.select("model", "dataset").row(0)
        if model not in kinds:
            raise UserError(f"{path}: model {model!r} has no card; {nearest(model, kinds)}")
        if len(found.filter(model=model, dataset=dataset)):
            raise UserError(f"{path}: a second table of model {model!r} and dataset {dataset!r}")
        own = pairs.with_columns(kind=pl.lit(kinds[model])).rename(
            {"task": "pattern", "value": "accuracy", "n": "pairs"}
        )
        found = found.vstack(own.select(PATTERNS.names))
    return found.sort("kind", "model", "dataset", "pattern")


def correlation_rows(patterns: pl.DataFrame, settings: dict[str, Any], seed: int) -> pa.Table:
    """Correlate every encoder's table with every VLM's over the patterns that both have.

    Result: pyarrow.Table with schema ``CORRELATIONS``. ``r, p, q`` are null if there are fewer than
    three common patterns or if either accuracy is the same in all of them; ``q`` is corrected over
    all other rows.

    Parameters
    ----------
    patterns : rows of ``PATTERNS``
    settings : numbers of ``bootstrap`` draws over patterns and of ``permutations``; see
        :func:`correlate`
    """
    tables = {
        kind: [
            (*names, dict(own.select("pattern", "accuracy").iter_rows()))
            for names, own in patterns.filter(pl.col("pattern") != ALL, kind=kind).group_by(
                "model", "dataset", maintain_order=True
            )
        ]
        for kind in ("encoder", "vlm")
    }
    rows = []
    for (encoder, encoder_dataset, x), (vlm, vlm_dataset, y) in product(
        tables["encoder"], tables["vlm"]
    ):
        common = sorted(x.keys() & y.keys())
        one, two = (np.array([own[pattern] for pattern in common]) for own in (x, y))
        key = {
            "encoder": encoder,
            "vlm": vlm,
            "encoder_dataset": encoder_dataset,
            "vlm_dataset": vlm_dataset,
        }
        for kind in KINDS:
            rng = generator("correlation", seed, *key.values())  # both kinds share draws
            found = correlate(one, two, kind, settings["bootstrap"], settings["permutations"], rng)
            rows.append(key | {"kind": kind, "n": len(common)} | found._asdict())
    tested = [row for row in rows if row["p"] is not None]
    q = benjamini_hochberg(np.array([row["p"] for row in tested], dtype=float))
    for row, value in zip(tested, q.tolist(), strict=True):
        row["q"] = value
    return pa.Table.from_pylist(rows, CORRELATIONS)


@command
def main(
    *,
    scores: list[Path],
    cards: list[Path],
    settings: Json,
    seed: int,
    patterns: Path,
    correlations: Path,
) -> None:
    """Run the step."""
    described = [read_json(path) for path in cards]
    kinds = {card["model"]: card["kind"] for card in described}
    table = read_patterns(scores, kinds)
    found = correlation_rows(table, settings, seed)
    write_table(patterns, table.to_arrow().cast(PATTERNS))
    write_table(correlations, found)


if __name__ == "__main__":
    main()
