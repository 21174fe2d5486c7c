"""Test saliency maps by deletion, against random orders, and by their share in a region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyechart.core.randomness import generator
from eyechart.inference.marks import Mark, of_image
from eyechart.models.hooks import pass_mode
from eyechart.saliency.states import States
from eyechart.tables.token_boxes import coverage

Orders = Sequence[np.ndarray]  # by item, its tokens in the order of replacement


def orders_of(maps: Sequence[Tensor]) -> Orders:
    """Return each item's tokens, ordered by decreasing support for the choice."""
    return [own.cpu().numpy().argsort(kind="stable")[::-1] for own in maps]


def random_orders(states: States, seed: int, draw: int) -> Orders:
    """Return each item's tokens in a random order, which is the same at every address."""
    questions = zip(states.subject.questions, states.index, strict=True)
    return [
        generator("deletion", seed, one.item["item_id"], draw).permutation(len(index))
        for one, index in questions
    ]


def deleted(states: States, every: Sequence[Orders], mean: Tensor, points: int) -> list[np.ndarray]:
    """Return, per order, scores (b, points + 1) as more and more tokens are replaced by the mean.

    The first is the score of the complete image, and the last is the score with mean tokens only;
    all orders share both.
    """

    def score(orders: Orders, n: int) -> np.ndarray:
        x = states.x.clone()
        for index, order in zip(states.index, orders, strict=True):
            gone = order[: round(len(order) * n / points)].copy()
            x[index[torch.from_numpy(gone).to(index.device)]] = mean.to(x)
        return np.asarray(states.run(x).double().cpu())

    with pass_mode():
        first, last = (score(every[0], n) for n in (0, points))
        between = [[score(orders, n) for n in range(1, points)] for orders in every]
    return [np.stack([first, *own, last], axis=1) for own in between]


def drop(curve: np.ndarray) -> np.ndarray:
    """Return the mean distance of a curve (..., points + 1) below its start."""
    fall = curve[..., :1] - curve
    return np.asarray((fall[..., 1:] + fall[..., :-1]).mean(axis=-1) / 2)


def in_region(
    values: np.ndarray, places: Sequence[np.ndarray], marks: Sequence[Mark]
) -> dict[str, Any]:
    """Return a region's ``mass``, ``area`` and ``ratio``, and a moved region's ``moved_ratio``.

    ``mass`` is the region's share of the map's positive values, ``area`` its share of the tokens,
    and ``ratio`` mass / area; None if unknown. The region is the item's referent or, without one,
    its right choice. The moved region is another item's.
    """
    positive = np.clip(values, 0, None)
    found: dict[str, Any] = dict.fromkeys(("mass", "area", "ratio", "moved_ratio"))
    roles = {mark.role for mark in marks if not mark.control}
    role = next((r for r in ("reference", "right") if r in roles), None)
    counts = [len(boxes) for boxes in places]
    for control, name in ((False, "ratio"), (True, "moved_ratio")):
        chosen = [m for m in marks if m.role == role and m.control is control]
        if not chosen or not positive.sum() > 0:
            continue
        shares = [of_image(m.number, counts, coverage(places[m.number], m.region)) for m in chosen]
        share = np.max(shares, axis=0)
        if not share.any():
            continue
        mass, area = float(positive @ share / positive.sum()), float(share.mean())
        found[name] = mass / area
        if not control:
            found |= {"mass": mass, "area": area}
    return found
