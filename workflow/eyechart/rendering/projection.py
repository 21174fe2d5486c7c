"""Project world points into a view, and test their visibility.

Pixel coordinates are continuous: pixel (0, 0) of an image covers [0, 1) x [0, 1), x to the right,
y down. Source: the pinhole camera model; occlusion is found from the rays of a view.
"""

import numpy as np
from numpy.typing import ArrayLike

from eyechart.rendering.mesh_renderer import ViewGeometry
from eyechart.rendering.scene.cameras import Camera

NEAR = 1.0  # maximum distance of hit and point, in pixel widths at its distance


def project(camera: Camera, points: ArrayLike, image_px: tuple[int, int]) -> np.ndarray:
    """Return x and y in pixels, and the depth along the camera's axis, of world points.

    Parameters
    ----------
    points : float (..., 3)
    image_px : (width, height)

    Returns
    -------
    float64 (..., 3); x and y are NaN for a point that is not in front of the camera.
    """
    width, height = image_px
    offset = (np.asarray(points, dtype=np.float64) - camera.position) @ camera.axes().T
    depth = offset[..., 2]
    ahead = np.where(depth > 0, depth, np.nan)
    x = width / 2 + focal_px(camera, width) * offset[..., 0] / ahead
    y = height / 2 - focal_px(camera, width) * offset[..., 1] / ahead
    return np.stack([x, y, depth], axis=-1)


def focal_px(camera: Camera, width: int) -> float:
    """Return the focal length in pixels; the field of view is horizontal."""
    return float(0.5 * width / np.tan(np.radians(camera.fov) / 2))


def visible_in(geometry: ViewGeometry, points: ArrayLike, near: float = NEAR) -> np.ndarray:
    """Return which world points are visible in a view: bool (...).

    A point is visible if it projects into the image and the ray of its pixel, or of a neighbour,
    hit a surface within ``near`` pixel widths of the point, and not farther from the camera by more
    than that.

    Parameters
    ----------
    points : float (..., 3)
    """
    width, height = geometry.image_px
    points = np.asarray(points, dtype=np.float64)
    at = project(geometry.camera, points, geometry.image_px)
    inside = (at[..., 0] >= 0) & (at[..., 0] < width) & (at[..., 1] >= 0) & (at[..., 1] < height)
    column = np.where(inside, at[..., 0], 0).astype(int)
    row = np.where(inside, at[..., 1], 0).astype(int)
    allowed = near * at[..., 2] / focal_px(geometry.camera, width)
    found = np.zeros(inside.shape, dtype=bool)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            beside = (row + down).clip(0, height - 1), (column + across).clip(0, width - 1)
            away = np.linalg.norm(geometry.position[beside] - points, axis=-1)
            found |= (away <= allowed) & (geometry.depth[beside] > 0)
    return inside & found
