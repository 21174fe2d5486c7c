"""Save rendered items: the image as shown and, if requested, its ground truth."""

from pathlib import Path
from typing import Any

import numpy as np

from eyechart.core.errors import UserError
from eyechart.rendering.mesh_renderer import ViewGeometry
from eyechart.rendering.renderer import SceneView
from eyechart.rendering.view_files import save_view

SHOWN = "shards/"  # images under it are copied into the official files and not kept


def save_item(
    root: Path, image: str, truth: str, shown: np.ndarray, plain: np.ndarray, geometry: ViewGeometry
) -> list[dict[str, Any]]:
    """Write an image and, unless ``truth`` is empty, its ground truth; return manifest entries.

    Parameters
    ----------
    image : str
        Path of the image as shown, from the root, ending in ``.png`` or ``.jpg``.
    truth : str
        Path from the root without suffix: ``<truth>_plain.png`` has no marks, ``<truth>_mask.png``
        holds 0 for the floor and i + 1 for part i of the view, ``<truth>_depth.png`` thousandths
        of a world unit along the camera's axis.
    shown, plain : uint8 (h, w, 3), with marks and without
    """
    entries = save_view(root, image, truth, SceneView(shown, geometry.depth, geometry.part))
    if truth:
        bare = SceneView(plain, geometry.depth, geometry.part)
        entries += save_view(root, f"{truth}_plain.png", "", bare)
    return entries


def kept(files: list[Path], root: Path) -> list[Path]:
    """Return the files that stay part of the dataset: those not copied into official files."""
    return [file for file in files if not file.relative_to(root).as_posix().startswith(SHOWN)]


def image_bytes(root: Path, path: str) -> bytes:
    """Read a drawn image.

    Raises
    ------
    UserError
        If the file is missing.
    """
    try:
        return (root / path).read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{root / path}: no such file, but the shard lists it; delete {root / SHOWN} and "
            "render again"
        ) from None
