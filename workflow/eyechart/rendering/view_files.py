"""Save rendered views: images, ground truth, and the outline of each object."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eyechart.core.files import atomic, describe
from eyechart.rendering.renderer import SceneView

DEPTH_UNIT = 1000  # depth images are in thousandths of a world unit
JPEG = {"quality": 95, "subsampling": 0}  # 4:4:4, so that small things keep their colour


def save_view(root: Path, image: str, truth: str, view: SceneView) -> list[dict[str, Any]]:
    """Write an image and, unless ``truth`` is empty, mask and depth; return manifest entries.

    Parameters
    ----------
    image : str
        Path from the root, ending in ``.png`` or ``.jpg``.
    truth : str
        Path from the root without suffix: ``<truth>_mask.png`` holds 0 for the floor and i + 1 for
        object i, ``<truth>_depth.png`` 16 bit, in thousandths of a world unit.
    """
    images = {root / image: view.rgb}
    if truth:
        depth = np.clip(view.depth * DEPTH_UNIT + 0.5, 0, 65535).astype(np.uint16)
        images[root / f"{truth}_mask.png"] = view.mask
        images[root / f"{truth}_depth.png"] = depth
    for path, values in images.items():
        _save(path, values)
    return [{**describe(p), "path": p.relative_to(root).as_posix()} for p in images]


def _save(path: Path, values: np.ndarray) -> None:
    """Write an array as an image, atomically: uint8 (h, w, 3) or (h, w), or uint16 (h, w)."""
    jpeg = path.suffix == ".jpg"
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG" if jpeg else "PNG", **(JPEG if jpeg else {}))
    with atomic(path) as partial:
        partial.write_bytes(buffer.getvalue())


def outline(mask: np.ndarray) -> dict[str, Any]:
    """Return bbox [x, y, w, h] and pixel count of a bool mask (h, w), not all false."""
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    box = [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1]
    return {"bbox": box, "visible_px": len(rows)}
