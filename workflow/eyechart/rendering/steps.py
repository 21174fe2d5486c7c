"""Shared code of the rendering steps: command lines, indices of a shard, drawing of items."""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from eyechart.core.files import write_json
from eyechart.rendering.files import SHARDS, save_array, save_view
from eyechart.rendering.renderer import View


def drawing_args(about: str | None, argv: list[str]) -> argparse.Namespace:
    """Parse the command line of a step that renders one shard; every flag is required."""
    parser = _parser(about)
    parser.add_argument("--split", required=True)
    parser.add_argument("--shard", type=int, required=True)
    return parser.parse_args(argv)


def writing_args(about: str | None, argv: list[str]) -> argparse.Namespace:
    """Parse the command line of a step that gathers the shards; every flag is required."""
    parser = _parser(about)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    return parser.parse_args(argv)


def _parser(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(about or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser


def shard_indices(count: int, shard: int, shards: int) -> range:
    """Return the scene indices of one shard: contiguous, all shards within one of equal size."""
    return range(count * shard // shards, count * (shard + 1) // shards)


def indices(args: argparse.Namespace, per: int = 1, times: int = 1) -> Iterator[int]:
    """Yield the indices that one shard renders, with a progress bar.

    Parameters
    ----------
    per, times : int
        Each index covers ``per`` of the split's number, and each of those is rendered ``times``.
    """
    count = args.settings["splits"][args.split] // per * times
    mine = shard_indices(count, args.shard, args.settings["shards"])
    yield from tqdm(mine, desc=f"{args.dataset}/{args.split}", unit="scene", mininterval=2)


@dataclass(frozen=True)
class Item:
    """One rendered item.

    Attributes
    ----------
    views : its images without marks, and their ground truth
    stems : the names of its images, without split and suffix
    shown : uint8 (h, w, 3) each, its images as shown
    facts : JSON-compatible values of its record
    """

    views: list[View]
    stems: list[str]
    shown: list[np.ndarray]
    facts: dict[str, Any]


def draw_items(
    args: argparse.Namespace,
    draw: Callable[[int], Item],
    suffix: str = "png",
    times: int = 1,
    depths: bool = False,
) -> None:
    """Draw the items of one shard and save them; write its manifest last.

    Parameters
    ----------
    draw : callable
        Returns the item of an index.
    suffix : str
        ``png`` or ``jpg``.
    times : int
        Items per number of the split.
    depths : bool
        Whether to save ``shards/depths/<stem>.npy`` too: float32 (h, w), world units along the
        camera's axis, 0 where nothing is hit.
    """
    files: list[dict[str, Any]] = []
    items = []
    for index in indices(args, times=times):
        item = draw(index)
        saved: dict[str, list[str]] = {"images": []}
        for stem, view, shown in zip(item.stems, item.views, item.shown, strict=True):
            image = f"{SHARDS}/images/{args.split}_{stem}.{suffix}"
            truth = f"truth/{args.split}/{stem}" if args.settings["truth"] else ""
            files += save_view(args.root, image, truth, view, shown)
            saved["images"].append(image)
            if depths:
                path = f"{SHARDS}/depths/{args.split}_{stem}.npy"
                files.append(save_array(args.root, path, view.depth))
                saved.setdefault("depths", []).append(path)
        items.append({"item": index, "split": args.split, **item.facts, **saved})
    write_json(args.output, {"files": files, "items": items})
