"""Draw the items of a shard; save images, ground truth, and the outline of each object."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eyechart.core.files import atomic, describe, write_json
from eyechart.rendering.renderer import View
from eyechart.rendering.shipped import restore
from eyechart.rendering.step_helpers import SHARDS, Drawing, indices

DEPTH_UNIT = 1000  # depth images are in thousandths of a world unit
JPEG = {"quality": 95, "subsampling": 0}  # 4:4:4, which keeps the colour of small things


@dataclass(frozen=True)
class Item:
    """One rendered item."""

    views: list[View]  # its images without marks, and their ground truth
    stems: list[str]  # the names of its images, without split and suffix
    shown: list[np.ndarray]  # uint8 (h, w, 3) each, its images as shown
    facts: dict[str, Any]  # JSON-compatible values of its record


def draw_items(
    args: Drawing,
    draw: Callable[[int], Item],
    suffix: str = "png",
    times: int = 1,
    depths: bool = False,
) -> None:
    """Draw and save the items of one shard, unless they are shipped; write its manifest last.

    Parameters
    ----------
    draw : returns the item with a given index
    suffix : ``png`` or ``jpg``
    times : number of items for each unit of the split's count
    depths : whether to also save ``shards/depths/<stem>.npy``: float32 (h, w), world units along
        the camera's axis, 0 where nothing is hit
    """
    if restore(args):
        return
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


def save_view(
    root: Path, image: str, truth: str, view: View, shown: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """Write an image and, unless ``truth`` is empty, mask and depth; return manifest entries.

    Parameters
    ----------
    image : path relative to the root, ending in ``.png`` or ``.jpg``
    truth : path relative to the root without suffix: ``<truth>_mask.png`` has 0 for the floor and i
        + 1 for part i of the view, ``<truth>_depth.png`` has thousandths of a world unit along the
        camera's axis, 16 bit, ``<truth>_plain.png`` the view's own image if a different one is
        shown
    shown : uint8 (h, w, 3), optional; the image as shown, e.g. with marks; by default the view's
        own
    """
    images = {image: view.rgb if shown is None else shown}
    if truth:
        images[f"{truth}_mask.png"] = view.part
        depth = np.clip(view.depth * DEPTH_UNIT + 0.5, 0, 65535).astype(np.uint16)
        images[f"{truth}_depth.png"] = depth
        if shown is not None:
            images[f"{truth}_plain.png"] = view.rgb
    return [save_array(root, path, values) for path, values in images.items()]


def save_array(root: Path, path: str, values: np.ndarray) -> dict[str, Any]:
    """Write an array atomically, as an image or ``.npy``; return its manifest entry.

    Parameters
    ----------
    path : relative to the root: ``.png``, ``.jpg`` or ``.npy``
    values : uint8 (h, w, 3) or (h, w), or uint16 (h, w); any array for ``.npy``
    """
    buffer = io.BytesIO()
    if path.endswith(".npy"):
        np.save(buffer, values, allow_pickle=False)
    elif path.endswith(".jpg"):
        Image.fromarray(values).save(buffer, "JPEG", **JPEG)
    else:
        Image.fromarray(values).save(buffer, "PNG")
    with atomic(root / path) as partial:
        partial.write_bytes(buffer.getvalue())
    return {**describe(root / path), "path": path}


def outline(mask: np.ndarray) -> dict[str, Any]:
    """Return bbox [x, y, w, h] and pixel count of a bool mask (h, w), not all false."""
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    box = [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1]
    return {"bbox": box, "visible_px": len(rows)}
