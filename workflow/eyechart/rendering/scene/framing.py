"""Aim a camera so that things fill a share of the image."""

from collections.abc import Sequence

import numpy as np

from eyechart.rendering.projection import focal_px, project
from eyechart.rendering.scene.cameras import Camera, orbit
from eyechart.rendering.scene.objects import Thing, Triple


def framed_camera(
    camera: Camera, things: Sequence[Thing], share: float, image_px: tuple[int, int]
) -> Camera:
    """Return a camera aimed at the centre of things and zoomed so that they fill a share.

    Direction and distance are kept.

    Parameters
    ----------
    share : float
        Extent of the things' outermost corners, as a share of the image's shorter side.
    """
    corners = np.concatenate([mesh.vertices for t in things for _, mesh, _ in t.meshes()])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    # the centre in the world is not the centre in perspective: aim at the visible centre
    for _ in range(2):
        aimed = orbit(camera, target=_rounded(middle))
        at = project(aimed, corners, image_px)  # (v, 3)
        low, high = at[:, :2].min(axis=0), at[:, :2].max(axis=0)
        right, up, forward = aimed.axes()
        scale = float((middle - aimed.position) @ forward) / focal_px(aimed, image_px[0])
        shift = ((low + high) / 2 - np.array(image_px) / 2) * scale
        middle = middle + shift[0] * right - shift[1] * up
    aimed = orbit(camera, target=_rounded(middle))
    at = project(aimed, corners, image_px)[:, :2] - np.array(image_px) / 2
    return orbit(aimed, zoom=share * min(image_px) / (2 * float(np.abs(at).max())))


def _rounded(point: np.ndarray) -> Triple:
    x, y, z = point.round(6).tolist()
    return x, y, z
