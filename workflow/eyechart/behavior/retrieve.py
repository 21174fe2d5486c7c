"""Retrieve captions and images with a two-tower encoder; Recall@1, 5 and 10 in both directions.

Reads the checkpoint and the dataset's two tables; captions are the references of open items. An
image's rank is that of its best caption; ties count as worse ranks. Writes a table of scores:
``recall_5_text`` is the share of images with a caption among the top five, ``recall_5_image`` the
share of captions with their image among the top five.

    python -m eyechart.behavior.retrieve --model tiny_clip --dataset coco \
        --spec config/models/tiny_clip.yaml --checkpoint data/models/tiny_clip \
        --items results/datasets/coco/items.parquet --images results/datasets/coco/images.parquet \
        --settings '{"caption": "{statement}", "bootstrap": 1000, "batch_size": 64}' --seed 7 \
        --output results/behavior/retrieval/tiny_clip/coco.parquet
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import torch

from eyechart.behavior import ask_encoder
from eyechart.behavior.conditions import Stimulus
from eyechart.core import errors, randomness
from eyechart.core.step import command
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.prompts import check_template
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags
from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.scores import SCORES

log = logging.getLogger(__name__)
DEPTHS = (1, 5, 10)
BLOCK = 512  # images compared with all captions at once: 100 MB for 25,000 captions in float64
FIELDS = ("caption", "bootstrap", "batch_size")
TASK = "caption"


@dataclass(frozen=True)
class Captions:
    """The images of a dataset and their captions.

    Attributes
    ----------
    images : sorted ids of the n images
    groups : each image's group, shape (n,)
    texts : the m distinct captions, sorted
    image, text : int64, shape (c,)
        Indices of the image and the text of each of the c captions.
    """

    images: list[str]
    groups: np.ndarray
    texts: list[str]
    image: np.ndarray
    text: np.ndarray


def gather(items: Path, template: str) -> Captions | None:
    """Read all captions of a dataset and insert them into the template.

    Return None if no open item with a single image has references.
    """
    columns = ["group", "images", "choices", "meta"]
    told: dict[str, list[str]] = {}
    group: dict[str, str] = {}
    for row in read_table(items, columns).to_pylist():
        references = json.loads(row["meta"] or "{}").get("references", [])
        if not row["choices"] and len(row["images"]) == 1:
            image = row["images"][0]
            told.setdefault(image, []).extend(template.format(statement=r) for r in references)
            group[image] = row["group"]
    images = sorted(image for image, own in told.items() if own)
    if not images:
        log.warning("%s: no open item with one image has references, so no captions", items)
        return None
    texts = sorted({text for image in images for text in told[image]})
    number = {text: n for n, text in enumerate(texts)}
    pairs = [(n, number[text]) for n, image in enumerate(images) for text in told[image]]
    image, text = np.array(pairs).T
    return Captions(images, np.array([group[i] for i in images]), texts, image, text)


def ranks(
    views: np.ndarray, words: np.ndarray, captions: Captions
) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact 0-based ranks of each image's best caption and of each caption's image.

    Ties count as worse: a rank is the number of other images' captions, or of other images, that
    are at least as similar. Captions with the same text share a column, so that they tie exactly.

    Result: two ndarrays of int64, shapes (n,) and (c,).

    Parameters
    ----------
    views : shape (n, d)
    words : shape (m, d), for the distinct texts
    """
    often = np.bincount(captions.text, minlength=len(words))  # number of captions with each text
    starts = range(0, len(views), BLOCK)
    of_images = np.empty(len(views), dtype=np.int64)
    of_captions = np.full(len(captions.text), -1)  # the caption's own image is also counted
    reached = np.empty(len(captions.text))
    for start in starts:
        score = views[start : start + BLOCK] @ words.T  # (block, m)
        here = (captions.image >= start) & (captions.image < start + BLOCK)
        image, text = captions.image[here] - start, captions.text[here]
        own = np.zeros(score.shape, dtype=np.int64)
        np.add.at(own, (image, text), 1)
        best = np.where(own > 0, score, -np.inf).max(axis=1, keepdims=True)
        of_images[start : start + BLOCK] = np.where(score >= best, often - own, 0).sum(axis=1)
        reached[here] = score[image, text]
    for start in starts:
        score = views[start : start + BLOCK] @ words.T  # the same bits as before
        of_captions += (score[:, captions.text] >= reached).sum(axis=0)
    return of_images, of_captions


def recalls(
    captions: Captions, of_images: np.ndarray, of_captions: np.ndarray, draws: int, seed: int
) -> list[dict[str, Any]]:
    """Return the rows of Recall@k, without the columns that are equal in all rows."""
    n, count = len(captions.images), len(captions.text)
    per_image = np.bincount(captions.image, minlength=n)
    rows = []
    for what, found, groups in (
        ("text", of_images, captions.groups),
        ("image", of_captions, captions.groups[captions.image]),
    ):
        right = np.stack([found < depth for depth in DEPTHS])  # (depths, n or c)
        rng = randomness.generator("retrieval", seed, what)
        intervals = bootstrap_interval(right, groups, draws, rng)
        for depth, own, (low, high) in zip(DEPTHS, right, intervals, strict=True):
            chance = (
                float(np.mean([missed(count, int(m), depth) for m in per_image]))
                if what == "text"
                else missed(n, 1, depth)
            )
            rows.append(
                {
                    "metric": f"recall_{depth}_{what}",
                    "value": float(own.mean()),
                    "ci_low": float(low),
                    "ci_high": float(high),
                    "chance": 1 - chance,
                    "n": len(own),
                    "groups": len(set(groups.tolist())),
                }
            )
    return rows


def missed(of: int, right: int, depth: int) -> float:
    """Return the probability that ``depth`` of ``of`` options include none of ``right`` right ones.

    >>> missed(4, 1, 1)
    0.75
    """
    return comb(of - right, depth) / comb(of, depth) if depth <= of else 0.0


def compare(
    adapter: ask_encoder.TwoTowers, captions: Captions, paths: Mapping[str, str], size: int | str
) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of images and distinct texts, float64, shapes (n, d) and (m, d)."""
    batches = AdaptiveBatchSize(size, "behavior.batch_size", adapter)
    for image in captions.images:
        if image not in paths:
            raise errors.UserError(f"items: image {image!r} is not in the image table")
    stimuli = [Stimulus(image, path=paths[image]) for image in captions.images]
    found = ask_encoder.view(adapter, stimuli, batches)
    views = torch.stack([found[stimulus] for stimulus in stimuli])
    words = ask_encoder.read(adapter, captions.texts, batches)
    return views.double().numpy(), words.double().numpy()


def read_settings(text: str) -> dict[str, Any]:
    """Parse the ``--settings`` flag; raise a UserError for an unknown or missing field."""
    value: dict[str, Any] = json.loads(text)
    for name in sorted(set(value) ^ set(FIELDS)):
        what = "missing" if name in FIELDS else "unknown"
        raise errors.UserError(f"--settings: {what} field {name!r}; {errors.nearest(name, FIELDS)}")
    check_template("caption", value["caption"], ("statement",))
    return value


@command
def main(
    *,
    model: str,
    dataset: str,
    settings: Annotated[dict[str, Any], {"type": read_settings}],
    items: Path,
    images: Path,
    output: Path,
    seed: int,
    flags: LoadFlags,
) -> None:
    """Write the table of one model and dataset."""
    captions = gather(items, settings["caption"])
    if captions is None:
        write_table(output, SCORES.empty_table())
        return
    table = read_table(images, ["image_id", "path"]).to_pylist()
    paths = {row["image_id"]: row["path"] for row in table}
    adapter = ask_encoder.two_towers(load(*flags.what()))
    views, words = compare(adapter, captions, paths, settings["batch_size"])
    found = ranks(views, words, captions)
    whose = {"model": model, "dataset": dataset, "condition": "sighted", "task": TASK}
    rows = recalls(captions, *found, settings["bootstrap"], seed)
    write_table(output, pa.Table.from_pylist([{**whose, **r} for r in rows], SCORES))


if __name__ == "__main__":
    main()
