"""Draw one shard of scenes: pictures, ground truth, and the scene descriptions.

Writes ``images/<split>/CLEVR_<split>_000000.png`` (and, if asked, ``truth/<split>/…_mask.png`` with
0 for the floor and i + 1 for object i, and ``…_depth.png``, 16 bit, in thousandths of a world unit)
under the root, then the shard's manifest. Every scene has its own seed, derived from the seed, the
dataset, the split and the index: bytes do not depend on shards or cores.

    python -m eyechart.studio.draw_scenes --dataset clevr --split val --shard 0 --settings JSON
        --seed 7 --root data/raw/clevr --output data/raw/clevr/shards/val-000.json
"""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from eyechart import errors, randomness
from eyechart.studio.render import View, project, render
from eyechart.studio.scenes import Plan, draw_plan
from eyechart.tables.files import atomic, describe, write_json

ATTEMPTS = 50
DEPTH_UNIT = 1000  # depth pictures count thousandths of a world unit


def shard_indices(count: int, shard: int, shards: int) -> range:
    """Give the scene indices of one shard: contiguous, all shards within one of equal size."""
    return range(count * shard // shards, count * (shard + 1) // shards)


def draw_scene(
    name: tuple[str, str, int], settings: dict[str, Any], seed: int
) -> tuple[Plan, View]:
    """Draw one scene in which every object shows at least ``min_visible_px`` pixels.

    Parameters
    ----------
    name : (dataset, split, index)
        Together with ``seed`` the only source of chance.
    """
    for attempt in range(ATTEMPTS):
        plan = draw_plan(randomness.generator("scene", seed, *name, attempt), settings)
        view = render(plan, settings, randomness.seed_for("render", seed, *name, attempt))
        visible = np.bincount(view.mask.ravel(), minlength=len(plan["objects"]) + 1)[1:]
        if visible.min() >= settings["min_visible_px"]:
            return _with_truth(plan, view, settings["image_px"]), view
    raise errors.UserError(
        f"studio: scene {'/'.join(map(str, name))} has no view with "
        f"{settings['min_visible_px']} visible pixels per object after {ATTEMPTS} tries; "
        "lower studio.min_visible_px or studio.objects, or raise studio.image_px"
    )


def _with_truth(plan: Plan, view: View, image_px: list[int]) -> Plan:
    """Add to each object where it is in the picture: pixel_coords, bbox [x, y, w, h], pixels."""
    for i, obj in enumerate(plan["objects"]):
        rows, columns = np.nonzero(view.mask == i + 1)
        across, down, depth = project(plan, obj["3d_coords"], image_px)
        obj["pixel_coords"] = [round(across), round(down), round(depth, 4)]  # as CLEVR has them
        x, y = int(columns.min()), int(rows.min())
        obj["bbox"] = [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1]
        obj["visible_px"] = len(rows)
    return plan


def save_png(path: Path, values: np.ndarray) -> None:
    """Write an array as PNG atomically: uint8 (h, w, 3) or (h, w), or uint16 (h, w)."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format="PNG")
    with atomic(path) as partial:
        partial.write_bytes(buffer.getvalue())


def _save(root: Path, split: str, stem: str, view: View, truth: bool) -> list[Path]:
    pictures = {root / "images" / split / f"{stem}.png": view.rgb}
    if truth:
        depth = np.clip(view.depth * DEPTH_UNIT + 0.5, 0, 65535).astype(np.uint16)
        pictures[root / "truth" / split / f"{stem}_mask.png"] = view.mask
        pictures[root / "truth" / split / f"{stem}_depth.png"] = depth
    for path, values in pictures.items():
        save_png(path, values)
    return list(pictures)


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; every flag is required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw the shard and write its manifest last."""
    args = parse_args(argv)
    settings, split = args.settings, args.split
    files, scenes = [], []
    indices = shard_indices(settings["splits"][split], args.shard, settings["shards"])
    for index in tqdm(indices, desc=f"{args.dataset}/{split}", unit="scene", mininterval=2):
        plan, view = draw_scene((args.dataset, split, index), settings, args.seed)
        stem = f"CLEVR_{split}_{index:06d}"
        for path in _save(args.root, split, stem, view, settings["truth"]):
            files.append({**describe(path), "path": str(path.relative_to(args.root))})
        name = {"image_index": index, "image_filename": f"{stem}.png", "split": split}
        scenes.append({**name, **plan})
    write_json(args.output, {"files": files, "scenes": scenes})


if __name__ == "__main__":
    errors.run(main)
