"""Aim a camera so that things fill a share of the picture."""

from collections.abc import Sequence

import numpy as np

from eyechart.rendering.projection import focal_px, project
from eyechart.rendering.scene.cameras import Camera, orbit
from eyechart.rendering.scene.objects import Thing, Triple


def framed(
    camera: Camera, things: Sequence[Thing], share: float, image_px: tuple[int, int]
) -> Camera:
    """Give a camera that looks at the middle of things and zooms until they fill a share.

    It keeps its direction and its distance.

    Parameters
    ----------
    share : float
        Of the shorter side of the picture, between the outermost corners of the things.
    """
    corners = np.concatenate([mesh.vertices for t in things for _, mesh, _ in t.meshes()])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    # a middle in the world is none in perspective: move it to the middle of what is seen
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
