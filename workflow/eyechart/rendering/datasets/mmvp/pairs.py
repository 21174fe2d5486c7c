"""Render both images of every pair of one shard, for MMVP and MMVP-VLM."""

from typing import Any

import numpy as np

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.core.files import write_json
from eyechart.rendering.attempts import NoRoomError, first_success
from eyechart.rendering.datasets.mmvp.patterns import (
    TYPES,
    PatternPair,
    draw_pair,
    numbers,
    pattern_of,
)
from eyechart.rendering.drawing import outline, save_view
from eyechart.rendering.renderer import View, render
from eyechart.rendering.scene.clevr import scene_of
from eyechart.rendering.step_helpers import Drawing, indices

ATTEMPTS = 100
PLAIN = 24  # out of 255; smaller channel differences are not visible


def draw_views(
    name: tuple[str, str, int], pattern: str, settings: dict[str, Any], seed: int
) -> tuple[PatternPair, list[View]]:
    """Render a pair whose objects and difference cover enough pixels; return it and both views.

    Raise a UserError if no attempt has enough visible pixels.

    ``name``: (dataset, split, index of the pair); with ``seed``, the only source of randomness.
    Both images have the same noise.
    """
    least = settings["min_visible_px"]

    def draw(attempt: int) -> tuple[PatternPair, list[View]]:
        pair = draw_pair(randomness.dice("pair", seed, *name, attempt), pattern, settings)
        noise = randomness.seed_for("render", seed, *name, attempt)
        views = [render(scene_of(plan), settings, noise) for plan in pair.plans]
        if min(changed_px(*views), *(view.visible_px().min() for view in views)) < least:
            raise NoRoomError
        return pair, views

    failure = f"pair {'/'.join(map(str, name))} ({pattern}) has no view with {least} visible "
    failure += "pixels per object; lower rendering.min_visible_px or rendering.objects, or raise "
    return first_success(ATTEMPTS, draw, failure + "rendering.image_px")


def changed_px(first: View, second: View) -> int:
    """Return the number of pixels that differ clearly between two images of the same size."""
    difference = np.abs(first.rgb.astype(int) - second.rgb).max(axis=-1)
    return int((difference >= PLAIN).sum())


def draw_shard(args: Drawing, path: str) -> None:
    """Render the pairs of one shard; write its manifest last.

    Raise a UserError if the number of images is odd.

    ``path``: an image's path relative to the root, with the ``{type}`` of its pattern and
    ``{number}`` (from 1).
    """
    images = args.settings["splits"][args.split]
    if images % 2:
        raise UserError(
            f"datasets.{args.dataset}.splits.{args.split} is {images}; pairs need an even number "
            "of images"
        )
    files: list[dict[str, Any]] = []
    records = []
    for index in indices(args, per=2):
        pattern = pattern_of(index, images // 2)
        name = (args.dataset, args.split, index)
        pair, views = draw_views(name, pattern, args.settings, args.seed)
        places = []
        for number, view in zip(numbers(index), views, strict=True):
            truth = f"truth/{args.split}/{number}" if args.settings["truth"] else ""
            places.append(path.format(type=TYPES[pattern], number=number))
            files += save_view(args.root, places[-1], truth, view)
        records.append(_record(index, pattern, pair, views, places))
    write_json(args.output, {"files": files, "pairs": records})


def _record(
    index: int, pattern: str, pair: PatternPair, views: list[View], places: list[str]
) -> dict[str, Any]:
    """Return the shard record of a pair: its facts, both plans, and each object's outline."""
    shown = [
        [{**obj, **outline(view.part == i + 1)} for i, obj in enumerate(plan["objects"])]
        for plan, view in zip(pair.plans, views, strict=True)
    ]
    return {
        "pair": index,
        "pattern": pattern,
        "kind": pair.kind,
        "answers": list(pair.answers),
        "thing": pair.thing,
        "partner": pair.partner,
        "others": pair.others,
        "images": places,
        "plans": [{**plan, "objects": o} for plan, o in zip(pair.plans, shown, strict=True)],
        "changed_px": changed_px(*views),
    }
