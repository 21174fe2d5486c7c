"""Train probes and control probes for one task on every column of an activation manifest.

Reads items.parquet, images.parquet and an activation manifest with its parts.
Writes the metrics table and, next to it, all test predictions.

    python -m eyechart.probing.train_probes --model tiny_llava --dataset clevr --task color \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --manifest results/extraction/tiny_llava/clevr/item/manifest.json --image-manifest \
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

from eyechart.core.address import REGION_SPANS
from eyechart.core.device import device_of
from eyechart.core.step import Json, Paths, command
from eyechart.probing import controls, question_types, search
from eyechart.probing.examples import (
    Examples,
    pooled_columns,
    read_examples,
    read_inputs,
    read_rows,
)
from eyechart.probing.results import Outcome, Tables, tabulate, together, unprobed
from eyechart.probing.training_plan import Plan
from eyechart.statistics.splits import grouped_folds
from eyechart.tables.activations import read_dropped, read_manifest
from eyechart.tables.parquet import write_table

log = logging.getLogger(__name__)

COLUMN_BYTES = 512 << 20  # columns read into memory at once, as float32


def plan_of(examples: Examples, task: str, seed: int, seeds: int, folds: int) -> Plan:
    """Return the folds, and the labels of task and control for consecutive seeds."""
    e = examples
    rows = np.flatnonzero(e.train)
    fold = grouped_folds(e.groups[rows], e.y[rows], folds, seed, task)
    all_seeds = list(range(seed, seed + seeds))
    labels = [[e.y, controls.type_labels(e.types, e.y, s, task)] for s in all_seeds]
    return Plan(all_seeds, [rows[fold == f] for f in range(folds)], np.array(labels))


def train(
    manifest_path: Path,
    examples: Examples,
    plan: Plan,
    probes: dict[str, dict[str, int]],
    device: torch.device,
) -> list[Outcome]:
    """Train probes on every pooled column, with columns of the same width trained together.

    A column of regions is left out unless every example has its region.

    Result: in the manifest's order of columns, then by probe; empty if every column is left out.
    """
    columns = pooled_columns(read_manifest(manifest_path))
    rows = read_rows(manifest_path, examples.ids)
    k = len(examples.classes)
    found: dict[str, list[Outcome]] = {c["name"]: [] for c in columns}
    for wide in _of_one_width(columns, len(rows)):
        read = [(c, read_inputs(manifest_path, c["name"], rows, device)) for c in wide]
        alike, inputs = _complete(read, examples.ids)
        for probe, settings in probes.items() if alike else ():
            log.info("%s: %d columns of width %d", probe, len(alike), alike[0]["width"])
            hidden = settings.get("hidden", 0)
            choices = search.cross_validate(inputs, plan, k, hidden)
            fits = search.refit(inputs, plan, choices, k, hidden)
            for column, choice, fit in zip(alike, choices, fits, strict=True):
                found[column["name"]].append(Outcome(column, probe, choice, fit))
    return [outcome for c in columns for outcome in found[c["name"]]]


def _complete(
    read: list[tuple[dict[str, Any], torch.Tensor]], ids: list[str]
) -> tuple[list[dict[str, Any]], list[torch.Tensor]]:
    """Return the columns without missing rows; log the others."""
    kept = []
    for column, inputs in read:
        absent = torch.isnan(inputs[:, 0]).nonzero().flatten().tolist()
        if absent:
            log.warning(
                "%s is not probed: %d of %d examples have no such region, the first is %s",
                *(column["name"], len(absent), len(ids), ids[absent[0]]),
            )
        else:
            kept.append((column, inputs))
    return [column for column, _ in kept], [inputs for _, inputs in kept]


def _of_one_width(columns: list[dict[str, Any]], n: int) -> Iterator[list[dict[str, Any]]]:
    """Yield lists of equally wide columns whose n rows together stay under ``COLUMN_BYTES``."""
    by_width = sorted(columns, key=lambda c: c["width"])
    for width, group in groupby(by_width, key=lambda c: c["width"]):
        alike = list(group)
        size = max(1, COLUMN_BYTES // (4 * n * width))
        yield from (alike[i : i + size] for i in range(0, len(alike), size))


def by_type(
    manifest: Path,
    tables: tuple[Path, Path],
    examples: Examples,
    names: dict[str, str],
    settings: dict[str, Any],
    seed: int,
) -> Tables:
    """Return the tables of one probe per question type, trained on images' activations.

    Parameters
    ----------
    manifest : manifest of the images' activations
    tables : the paths of items and images
    examples : examples of the complete task
    """
    if not pooled_columns(read_manifest(manifest)):
        reason = "extraction.spans has none of the image alone, such as image_mean"
        return unprobed(names, examples, reason)
    chosen = settings["question_types"]
    pairs = question_types.read_pairs(
        *tables, examples, settings["split"], chosen, read_dropped(manifest)
    )
    if isinstance(pairs, str):
        return unprobed(names, examples, pairs)
    seeds, folds = settings["seeds"], settings["folds"]
    images, plan, own = question_types.plans(pairs, names["task"], seed, seeds, folds)
    outcomes = train(manifest, images, plan, {"linear": {}}, device_of(settings["device"]))
    outcomes = question_types.to_pairs(outcomes, pairs, plan)
    draws = settings["bootstrap"]
    return tabulate(outcomes, pairs.examples, own, names, draws, seed, pairs.weights)


@command
def main(
    *,
    model: str,
    dataset: str,
    task: str,
    settings: Json,
    items: Path,
    images: Path,
    manifest: Path,
    image_manifest: Paths,
    output: Path,
    predictions: Path,
    seed: int,
) -> None:
    """Train all probes of the task; write the predictions and then the metrics."""
    scope = read_manifest(manifest)["scope"]
    folds, device = settings["folds"], device_of(settings["device"])
    dropped = read_dropped(manifest)
    if dropped:
        log.warning("%d %ss have no activations, the first is %s", len(dropped), scope, dropped[0])
    examples = read_examples(
        items, images, scope, task, split=settings["split"], folds=folds, dropped=dropped
    )
    names = {"model": model, "dataset": dataset, "task": task, "scope": scope}
    outcomes, refusal = [], examples.refusal
    if not refusal:
        plan = plan_of(examples, task, seed, settings["seeds"], folds)
        outcomes = train(manifest, examples, plan, settings["probes"], device)
        refusal = "" if outcomes else "every address and span lacks the region of some example"
    if refusal:
        log.warning("%s is not probed: %s", task, refusal)
        found = [unprobed(names, examples, refusal, "majority")]
    else:
        found = [tabulate(outcomes, examples, plan, names, settings["bootstrap"], seed)]
    regional = any(o.column["span"] in REGION_SPANS for o in outcomes)
    if image_manifest and not examples.refusal and not regional:
        found.append(by_type(image_manifest[0], (items, images), examples, names, settings, seed))
    metrics, predicted = together(found)
    write_table(predictions, predicted)
    write_table(output, metrics)


if __name__ == "__main__":
    main()
