"""Derive a model whose connector loses a concept: an affine eraser after its last linear layer.

The eraser (``statistics.eraser``) is fitted on the connector's outputs for training images. Each
item of the task ``concept`` with a region contributes the area-weighted mean of the region's image
tokens, the token at its centre and the tokens one step to each side, since single tokens carry the
concept differently from their mean. The class is the item's answer. The covariance is over all
tokens of these images.

r(x) = x - A (x - m) after y = W h + b equals the layer with weights (I - A) W and bias (I - A) b +
A m, so every image token loses the concept. This is exact if nothing follows or bypasses that
layer, which is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError, nearest
from eyechart.core.randomness import generator
from eyechart.data.open_image import open_image
from eyechart.models.derivations.connector import (
    language,
    last_linear,
    outputs,
    sample_images,
    taken,
)
from eyechart.models.derivations.settings import chosen
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.hooks import pass_mode
from eyechart.models.usable import usable
from eyechart.statistics.eraser import Eraser, fit
from eyechart.tables.items import SPLIT_RULES
from eyechart.tables.parquet import read_table
from eyechart.tables.regions import CANVAS, REF, Region, point, read_regions
from eyechart.tables.token_boxes import edges_of, shown_weights

BATCH = 16  # images per pass
CLOSE = 1e-3  # of the largest output


@dataclass(frozen=True)
class Referent:
    """An item's region, the file of its image, and its answer."""

    item: str
    path: str
    region: Region
    answer: str


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Erase a task's answers from the connector's output."""
    how = chosen("nerve", settings, dataset=None, concept=None, most=2000, examples=None)
    adapter = language(adapter, "nerve")
    images = sample_images()
    before = [outputs(adapter, image) for image in images]
    last = last_linear(adapter, "nerve", before[0][0].shape[-1])
    known = referents(**how["examples"], task=how["concept"])
    order = generator("nerve", seed, how["dataset"], how["concept"]).permutation(len(known))
    drawn = [known[i] for i in sorted(order[: how["most"]])]
    try:
        vectors, covariance = tokens(adapter, drawn)
        eraser = fit(vectors, np.array([one.answer for one in drawn]), covariance)
    except ValueError as error:
        raise UserError(
            f"derived.settings: {how['concept']!r} of {how['dataset']!r} cannot be erased: {error} "
            f"in {len(drawn)} training items with a region"
        ) from None
    fold(last, eraser)
    for image, (output, reads) in zip(images, before, strict=True):
        after, then = outputs(adapter, image)
        off = (after - erased(output, eraser)).abs().max() > CLOSE * output.abs().max()
        if off or len(taken(reads)) > 1 or len(taken(then)) > 1:
            raise UserError(
                f"derived.by: nerve cannot be folded into a model of family {adapter.spec.family}: "
                "something follows or bypasses its connector's last linear layer, unlike llava's"
            )


def fold(last: torch.nn.Linear, eraser: Eraser) -> None:
    """Fold an eraser into the weights of the linear layer before it."""
    matrix, mean = (torch.from_numpy(part) for part in (eraser.matrix, eraser.mean))
    weight, bias = last.weight.data.double().cpu(), last.bias.data.double().cpu()
    last.weight.data.copy_(weight - matrix @ weight)
    last.bias.data.copy_(bias - matrix @ (bias - mean))


def erased(hidden: Tensor, eraser: Eraser) -> Tensor:
    """Return hidden states (…, d) without the concept."""
    flat = hidden.double().flatten(0, -2).cpu().numpy()
    return torch.from_numpy(eraser(flat)).reshape(hidden.shape).to(hidden)


def referents(items: str, images: str, regions: str, split: str, *, task: str) -> list[Referent]:
    """Return the training items of a task that have a region, in order of id."""
    column, trains, _ = SPLIT_RULES[split]
    rows = read_table(Path(items)).to_pylist()
    known = sorted({row["task"] for row in rows})
    if task not in known:
        raise UserError(f"derived.settings.concept: no task {task!r}; {nearest(task, known)}")
    marked = read_regions(Path(regions), CANVAS)
    paths = {row["image_id"]: row["path"] for row in read_table(Path(images)).to_pylist()}
    chosen_rows = [
        row
        for row in sorted(rows, key=lambda row: str(row["item_id"]))
        if row["task"] == task and row[column] == trains and row["answer"] is not None
        if REF in marked.get(row["item_id"], ())
    ]
    if not chosen_rows:
        raise UserError(f"{regions}: no training item of task {task!r} has a region {REF}")
    return [
        Referent(row["item_id"], paths[image], region, row["answer"])
        for row in chosen_rows
        for image, region in [marked[row["item_id"]][REF]]
    ]


def _prepared(adapter: Adapter, path: str, image: Image.Image) -> PreparedImage:
    with usable(path, adapter.spec.checkpoint):
        return adapter.prepare_image(image)


def tokens(adapter: Adapter, of: Sequence[Referent]) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens (n, l, d) at each region's points, and the covariance of all tokens.

    Each image is encoded once. Both are float64; the covariance is (d, d).
    """
    paths = sorted({one.path for one in of})
    found: dict[str, np.ndarray] = {}
    count, total, square = 0, np.zeros(1), np.zeros((1, 1))
    for start in range(0, len(paths), adapter.MAX_IMAGES_PER_PASS or BATCH):
        few = paths[start : start + (adapter.MAX_IMAGES_PER_PASS or BATCH)]
        shown = {path: open_image(Path(path)) for path in few}
        with pass_mode():
            encoded = adapter.encode_images([_prepared(adapter, *one) for one in shown.items()])
        for (path, image), one in zip(shown.items(), encoded, strict=True):
            here = [r for r in of if r.path == path]
            places = adapter.token_boxes(image.size, "lm")
            hidden = one.features.double().cpu().numpy()
            count, total = count + len(hidden), total + hidden.sum(axis=0)
            square = square + hidden.T @ hidden
            for one_of in here:
                weights = [shown_weights(places, [p]) for p in around(one_of.region, places)]
                found[one_of.item] = np.stack(weights) @ hidden
    mean = total / count
    return np.stack([found[one.item] for one in of]), square / count - np.outer(mean, mean)


def around(region: Region, places: np.ndarray) -> list[Region]:
    """Return a region, its centre, and the points one token to each side of the centre."""
    left, top, right, bottom = edges_of(places)
    wide, high = float(np.nanmedian(right - left)), float(np.nanmedian(bottom - top))
    x, y = region.middle
    steps = ((0, 0), (wide, 0), (-wide, 0), (0, high), (0, -high))
    ends = np.nanmin(left), np.nanmax(right), np.nanmin(top), np.nanmax(bottom)
    inside = [
        (float(np.clip(x + right, *ends[:2])), float(np.clip(y + down, *ends[2:])))
        for right, down in steps
    ]
    return [region, *(point(REF, *at) for at in inside)]
