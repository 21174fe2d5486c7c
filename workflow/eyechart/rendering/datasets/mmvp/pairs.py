"""Render both images of every pair of one shard, for MMVP and MMVP-VLM."""

from collections.abc import Callable
from typing import Any

import numpy as np

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.core.files import write_json
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.datasets.mmvp.patterns import PatternPair, draw_pair, pattern_of
from eyechart.rendering.renderer import SceneView, render
from eyechart.rendering.scene.placement import NoRoomError
from eyechart.rendering.view_files import outline, save_view

ATTEMPTS = 100
PLAIN = 24  # of 255: smaller channel differences are not visible


def draw_views(
    name: tuple[str, str, int], pattern: str, settings: dict[str, Any], seed: int
) -> tuple[PatternPair, list[SceneView]]:
    """Render one pair in which every object, and the difference, shows enough pixels.

    Parameters
    ----------
    name : (dataset, split, index of the pair)
        Together with ``seed`` the only source of chance; both images have the same noise.

    Raises
    ------
    UserError
        If no attempt has enough visible pixels.
    """
    least = settings["min_visible_px"]
    for attempt in range(ATTEMPTS):
        rng = randomness.dice("pair", seed, *name, attempt)
        try:
            pair = draw_pair(rng, pattern, settings)
        except NoRoomError:
            continue
        noise = randomness.seed_for("render", seed, *name, attempt)
        views = [render(plan, settings, noise) for plan in pair.plans]
        if changed_px(*views) >= least and all(
            _least_visible(view, len(plan["objects"])) >= least
            for plan, view in zip(pair.plans, views, strict=True)
        ):
            return pair, views
    raise UserError(
        f"rendering: pair {'/'.join(map(str, name))} ({pattern}) has no view with {least} visible "
        f"pixels per object after {ATTEMPTS} attempts; lower rendering.min_visible_px or "
        "rendering.objects, or raise rendering.image_px"
    )


def changed_px(first: SceneView, second: SceneView) -> int:
    """Count the pixels that differ clearly between two images of one size."""
    difference = np.abs(first.rgb.astype(int) - second.rgb).max(axis=-1)
    return int((difference >= PLAIN).sum())


def _least_visible(view: SceneView, count: int) -> int:
    return int(np.bincount(view.mask.ravel(), minlength=count + 1)[1:].min())


def draw_shard(args: rendering_steps.Drawing, path: Callable[[str, int], str]) -> None:
    """Render the pairs of one shard; write its manifest last.

    Parameters
    ----------
    path : callable
        Returns an image's path from the root, given its pattern and number (from 1).

    Raises
    ------
    UserError
        If the number of images is odd.
    """
    images = args.settings["splits"][args.split]
    if images % 2:
        raise UserError(
            f"datasets.{args.dataset}.splits.{args.split} is {images}; pairs need an even number "
            "of images"
        )
    files, records = [], []
    for index in rendering_steps.indices(args, per=2):
        pattern = pattern_of(index, images // 2)
        name = (args.dataset, args.split, index)
        pair, views = draw_views(name, pattern, args.settings, args.seed)
        places = []
        for number, view in zip((2 * index + 1, 2 * index + 2), views, strict=True):
            truth = f"truth/{args.split}/{number}" if args.settings["truth"] else ""
            places.append(path(pattern, number))
            files += save_view(args.root, places[-1], truth, view)
        records.append(_record(index, pattern, pair, views, places))
    write_json(args.output, {"files": files, "pairs": records})


def _record(
    index: int, pattern: str, pair: PatternPair, views: list[SceneView], places: list[str]
) -> dict[str, Any]:
    """Return the shard record of a pair: its facts, both plans, and each object's outline."""
    shown = [
        [{**obj, **outline(view.mask == i + 1)} for i, obj in enumerate(plan["objects"])]
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
