"""Train probes and control probes for one task on every column of one activation manifest.

Reads items.parquet, images.parquet and an activation manifest with its parts.
Writes the metrics table and, beside it, every test prediction.

    python -m eyechart.probing.train_probes --model tiny_llava --dataset clevr --task color \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --manifest results/extraction/tiny_llava/clevr/item/manifest.json \
        --settings "$SETTINGS" --seed 7 \
        --output results/probing/tiny_llava/clevr/color.parquet \
        --predictions results/probing/tiny_llava/clevr/color.predictions.parquet
"""

import logging
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyechart.core.device import device_of
from eyechart.core.step import Json, command
from eyechart.probing import controls, logistic, search
from eyechart.probing.examples import (
    Examples,
    pooled_columns,
    read_examples,
    read_inputs,
    read_rows,
)
from eyechart.probing.layout import SeedPlan, make_plan
from eyechart.probing.results import Outcome, tabulate
from eyechart.statistics.splits import grouped_folds
from eyechart.tables.activations import read_manifest
from eyechart.tables.parquet import write_table

Recipe = search.Recipe | logistic.LogisticRecipe
LOGISTIC = "logistic"  # the kind of probe that scikit-learn fits

log = logging.getLogger(__name__)

COLUMN_BYTES = 512 << 20  # columns read into memory at once, as float32


def recipes(settings: dict[str, Any]) -> dict[str, Recipe]:
    """Return the recipe of each probe named in the settings, in their order."""
    patience, standardise = settings["patience"], settings["standardise"]
    return {
        name: logistic.LogisticRecipe(**probe, standardise=standardise)
        if name == LOGISTIC
        else search.Recipe(**probe, patience=patience, standardise=standardise)
        for name, probe in settings["probes"].items()
    }


def fit_probes(
    inputs: list[Tensor], plans: list[SeedPlan], classes: int, recipe: Recipe
) -> tuple[list[list[search.Choice]], list[list[search.Fit]]]:
    """Return hyper-parameters chosen by cross-validation and fits, column by column."""
    if isinstance(recipe, logistic.LogisticRecipe):
        choices = logistic.cross_validate(inputs, plans, classes, recipe)
        return choices, logistic.refit(inputs, plans, choices, classes, recipe)
    choices = search.cross_validate(inputs, plans, classes, recipe)
    return choices, search.refit(inputs, plans, choices, classes, recipe)


def seed_plans(examples: Examples, task: str, seed: int, seeds: int, folds: int) -> list[SeedPlan]:
    """Return the plans of consecutive seeds, each with folds, batch order and control labels."""
    e = examples
    plans = []
    for s in range(seed, seed + seeds):
        fold = grouped_folds(e.groups[e.train], e.y[e.train], folds, s, task)
        labels = [
            e.y,
            controls.type_labels(e.types, e.y, e.train, s, task),
            controls.permuted_labels(e.ids, e.y, s, task),
        ]
        plans.append(make_plan(s, fold, np.stack(labels), e.train, task))
    return plans


def train(
    manifest_path: Path,
    examples: Examples,
    plans: list[SeedPlan],
    probes: dict[str, Recipe],
    device: torch.device,
) -> list[Outcome]:
    """Train probes on every pooled column, those of one width together.

    Returns
    -------
    list of Outcome
        In the manifest's order of columns, then probes, then seeds.
    """
    columns = pooled_columns(read_manifest(manifest_path))
    rows = read_rows(manifest_path, examples.ids)
    k = len(examples.classes)
    found: dict[str, list[Outcome]] = {c["name"]: [] for c in columns}
    for alike in _of_one_width(columns, len(rows)):
        inputs = [read_inputs(manifest_path, c["name"], rows, device) for c in alike]
        for probe, recipe in probes.items():
            log.info("%s: %d columns of width %d", probe, len(alike), alike[0]["width"])
            choices, fits = fit_probes(inputs, plans, k, recipe)
            for column, chosen, fitted in zip(alike, choices, fits, strict=True):
                for own in zip(plans, chosen, fitted, strict=True):
                    found[column["name"]].append(Outcome(column, probe, *own))
    return [outcome for c in columns for outcome in found[c["name"]]]


def _of_one_width(columns: list[dict[str, Any]], n: int) -> Iterator[list[dict[str, Any]]]:
    """Yield lists of columns of one width whose n rows stay under ``COLUMN_BYTES`` together."""
    by_width = sorted(columns, key=lambda c: c["width"])
    for width, group in groupby(by_width, key=lambda c: c["width"]):
        alike = list(group)
        size = max(1, COLUMN_BYTES // (4 * n * width))
        yield from (alike[i : i + size] for i in range(0, len(alike), size))


@command
def main(*, model: str, dataset: str, task: str, settings: Json, items: Path, images: Path,
         manifest: Path, output: Path, predictions: Path, seed: int) -> None:  # fmt: skip
    """Train all probes of the task, then write the predictions and, last, the metrics."""
    scope = read_manifest(manifest)["scope"]
    folds, device = settings["folds"], device_of(settings["device"])
    examples = read_examples(items, images, scope, task, split=settings["split"], folds=folds)
    plans = seed_plans(examples, task, seed, settings["seeds"], folds)
    outcomes = train(manifest, examples, plans, recipes(settings), device)
    names = {"model": model, "dataset": dataset, "task": task, "scope": scope}
    metrics, predicted = tabulate(outcomes, examples, names, settings["bootstrap"], seed)
    write_table(predictions, predicted)
    write_table(output, metrics)


if __name__ == "__main__":
    main()
