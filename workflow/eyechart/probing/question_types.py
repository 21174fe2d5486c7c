"""Probe questions without a region as properties of images, with a probe per question type.

Once the question "Is there a red cube?" is given, the image alone determines the answer. So
examples are pairs of an image and a question type, and each type has its own linear probe. All
probes of a task are trained as one stack, on the same images and with one penalty.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from eyechart.probing.controls import type_labels
from eyechart.probing.examples import Examples, strings
from eyechart.probing.results import Outcome
from eyechart.probing.training_plan import Plan
from eyechart.statistics.splits import grouped_folds
from eyechart.tables.activations import not_dropped
from eyechart.tables.items import ANSWER, SPLIT_RULES
from eyechart.tables.parquet import read_table

log = logging.getLogger(__name__)

PRIOR = 5.0  # pseudo-count of the task's answer shares in each type's shares, in questions


@dataclass(frozen=True)
class Pairs:
    """Pairs of an image and a question type: the training pairs, then the test items.

    Attributes
    ----------
    examples : ``types`` are the question types, ``ids`` the items (empty in the training set)
    weights : float, shape (n,); the weight of each pair in training
    images : str, shape (n,); the image of each pair
    inputs : str, shape (n,); the input type of the image, for the control task
    """

    examples: Examples
    weights: np.ndarray
    images: np.ndarray
    inputs: np.ndarray


def read_pairs(
    items: Path,
    images: Path,
    examples: Examples,
    split: str,
    settings: dict[str, int],
    dropped: Sequence[str] = (),
) -> Pairs | str:
    """Read the pairs of an item task, or return a sentence that says why its types are not probed.

    A type's probe is trained on the training images with a question of this type, or on all
    training images if the dataset knows the answer for each.

    Parameters
    ----------
    examples : the examples of the complete task
    settings : ``groups``, ``answers``, ``items``, ``most``: see ``probing.question_types``
    dropped : images without activations
    """
    e, (shown, types) = examples, _asked(items, examples)
    if several := int((shown == "").sum()):
        log.info("%d questions about several images are left out", several)
    lost = np.isin(shown, dropped)
    if lost.any():
        log.warning("%d questions about images without activations are left out", lost.sum())
    single = (shown != "") & ~lost
    if not single.any():
        return "every question is about several images"
    test = ~e.train & single
    table = read_table(images)
    table = table.filter(not_dropped(table["image_id"], dropped))
    names, counts = np.unique(types[test], return_counts=True)
    chosen, most = [], 0
    for name in names[np.argsort(-counts, kind="stable")]:
        own = np.flatnonzero(e.train & single & (types == name) & ~np.isin(shown, shown[test]))
        found = _Training(shown[own], e.y[own], e.groups[own], np.ones(len(own)))
        if ANSWER + name in table.column_names:
            found = _everywhere(table, name, e, own, shown[test], split)
        most = max(most, len(np.unique(found.groups)))
        if found.suffices(settings):
            chosen.append((name, found))
    chosen = chosen[: settings["most"]]
    test &= np.isin(types, [name for name, _ in chosen])
    if test.sum() < settings["items"]:
        return (
            f"{test.sum()} of {(~e.train).sum()} test items are of a question type with at least "
            f"{settings['groups']} training groups and two answers of {settings['answers']} each, "
            f"expected {settings['items']}; there are {len(names)} types, with {most} training "
            "groups at most"
        )
    log.info("%d question types, %d of %d test items", len(chosen), test.sum(), (~e.train).sum())
    return _paired(e, chosen, test, shown, types, table)


@dataclass(frozen=True)
class _Training:
    """The training pairs of one question type: images, class codes, groups, weights, (n,) each."""

    images: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    weights: np.ndarray

    def suffices(self, settings: dict[str, int]) -> bool:
        counts = [len(np.unique(self.groups[self.y == y])) for y in np.unique(self.y)]
        enough = sum(count >= settings["answers"] for count in counts) >= 2
        return enough and len(np.unique(self.groups)) >= settings["groups"]


def _asked(items: Path, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return the image of each item (empty if it has several) and its question type."""
    rows = read_table(items, ["item_id", "images", "type", "meta"]).to_pylist()
    by_id = {row["item_id"]: row for row in rows}
    own = [by_id[i] for i in examples.ids]
    shown = [row["images"][0] if len(row["images"]) == 1 else "" for row in own]
    types = [json.loads(row["meta"] or "{}").get("asks", row["type"]) for row in own]
    return np.array(shown, dtype=np.str_), np.array(types, dtype=np.str_)


def _everywhere(
    table: pa.Table, name: str, e: Examples, own: np.ndarray, tested: np.ndarray, split: str
) -> _Training:
    """Return the pairs of a type whose answer is known for every training image.

    Weights give each answer its share among the type's questions, since datasets balance answers:
    few images have small red cubes, but half of the questions are about one.
    """
    column, trains, _ = SPLIT_RULES[split]
    answers, ids = strings(table[ANSWER + name]), strings(table["image_id"])
    used = (strings(table[column]) == trains) & np.isin(answers, e.classes) & ~np.isin(ids, tested)
    y = np.searchsorted(e.classes, answers[used])
    k = len(e.classes)
    shares = np.bincount(e.y[e.train], minlength=k) / e.train.sum()
    shares = (np.bincount(e.y[own], minlength=k) + PRIOR * shares) / (len(own) + PRIOR)
    weights = (shares * len(y) / np.maximum(np.bincount(y, minlength=k), 1))[y]
    return _Training(ids[used], y, strings(table["group"])[used], weights)


def _paired(
    e: Examples,
    chosen: list[tuple[str, _Training]],
    test: np.ndarray,
    shown: np.ndarray,
    types: np.ndarray,
    table: pa.Table,
) -> Pairs:
    """Return the training pairs of the chosen types, then the test items."""
    n = sum(len(own.y) for _, own in chosen)

    def both(name: str, tested: np.ndarray) -> np.ndarray:
        return np.concatenate([*(getattr(own, name) for _, own in chosen), tested[test]])

    images = both("images", shown)
    examples = replace(
        e,
        ids=[*[""] * n, *np.array(e.ids)[test].tolist()],
        y=both("y", e.y),
        groups=both("groups", e.groups),
        types=np.concatenate([*(np.repeat(t, len(own.y)) for t, own in chosen), types[test]]),
        train=np.arange(n + test.sum()) < n,
    )
    kinds = dict(zip(strings(table["image_id"]), strings(table["type"]), strict=True))
    inputs = np.array([kinds[image] for image in images])
    return Pairs(examples, both("weights", np.ones(len(e.y))), images, inputs)


def plans(
    pairs: Pairs, task: str, seed: int, seeds: int, folds: int
) -> tuple[Examples, Plan, Plan]:
    """Return the images as examples, their plan with one task per type, and the plan of the pairs.

    The control task draws a label for each input type of images, separately for every question
    type.
    """
    e = pairs.examples
    ids, row = np.unique(pairs.images, return_inverse=True)
    names, of = np.unique(e.types, return_inverse=True)
    train = np.isin(np.arange(len(ids)), row[e.train])
    groups = e.groups[np.unique(row, return_index=True)[1]]
    all_seeds = list(range(seed, seed + seeds))
    labels = np.zeros((seeds, 2, len(e.y)), dtype=np.int64)
    for s, t in np.ndindex(seeds, len(names)):
        own = of == t
        labels[s, 0, own] = e.y[own]
        shares = np.bincount(e.y[own & e.train], pairs.weights[own & e.train])
        levels = (np.arange(own.sum()) + 0.5) / own.sum() * shares.sum()
        alike = np.searchsorted(shares.cumsum(), levels)  # labels with the shares of the task
        labels[s, 1, own] = type_labels(
            pairs.inputs[own], alike, all_seeds[s], f"{task} {names[t]}"
        )
    own = e.train
    of_images = np.zeros((seeds, 2, len(names), len(ids)), dtype=np.int64)
    of_images[:, :, of[own], row[own]] = labels[:, :, own]
    weights = np.zeros(of_images.shape[2:])
    np.add.at(weights, (of[own], row[own]), pairs.weights[own])
    rows = np.flatnonzero(train)
    fold = grouped_folds(groups[rows], np.zeros(len(rows), dtype=np.int64), folds, seed, task)
    parts = [rows[fold == f] for f in range(folds)]
    plan = Plan(all_seeds, parts, of_images.reshape(seeds, -1, len(ids)), weights)
    images = replace(e, ids=ids.tolist(), groups=groups, train=train)
    return images, plan, Plan(all_seeds, [], labels)


def to_pairs(outcomes: list[Outcome], pairs: Pairs, plan: Plan) -> list[Outcome]:
    """Convert outcomes of the images' plan to outcomes of the test pairs."""
    e = pairs.examples
    _, row = np.unique(pairs.images, return_inverse=True)
    _, of = np.unique(e.types, return_inverse=True)
    at = np.searchsorted(plan.test, row[~e.train])
    shares = plan.weights.sum(1) / plan.weights.sum()
    found = []
    for outcome in outcomes:
        fit = outcome.fit
        split = fit.predictions.reshape(len(plan.seeds), 2, len(shares), -1)
        known = fit.train_accuracy.reshape(len(plan.seeds), 2, -1) @ shares
        found.append(
            replace(
                outcome,
                fit=replace(fit, predictions=split[:, :, of[~e.train], at], train_accuracy=known),
            )
        )
    return found
