"""Cameras and lights: draw, move and aim them; project points into an image.

Pixel coordinates are continuous: pixel (0, 0) of an image covers [0, 1) x [0, 1), x to the right,
y down. Source: the pinhole camera model.
"""

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eyechart.rendering.scene.model import Camera, Light, Thing, Triple

LOWEST, HIGHEST = 8.0, 75.0  # degrees above the floor
# Position, half a side, radiance; chosen to resemble CLEVR
KEY_LIGHT, FILL_LIGHT = ((5.0, -4.0, 8.0), 2.0, 9.0), ((-6.0, -5.0, 5.0), 1.5, 4.0)
WHITE: Triple = (1.0, 1.0, 1.0)


def jittered_camera(rng: random.Random, settings: dict[str, Any]) -> Camera:
    """Return the camera of the settings, shifted by up to its jitter along each axis."""
    camera = settings["camera"]
    jitter = camera["jitter"]
    x, y, z = (round(c + rng.uniform(-jitter, jitter), 6) for c in camera["position"])
    tx, ty, tz = camera["target"]
    return Camera((x, y, z), (tx, ty, tz), camera["fov"], roll=0.0)


def orbit(
    camera: Camera,
    azimuth: float = 0.0,
    elevation: float = 0.0,
    roll: float = 0.0,
    zoom: float = 1.0,
    target: Triple | None = None,
) -> Camera:
    """Return a camera moved around its target at the same distance, then rolled and zoomed.

    Parameters
    ----------
    azimuth, elevation, roll : degrees, added to the camera's own; the elevation is clipped to 8 to
        75
    zoom : magnification at the target
    target : (x, y, z), optional; another target; the camera moves with it
    """
    offset = np.subtract(camera.position, camera.target)
    far = float(np.linalg.norm(offset))
    around = math.atan2(offset[1], offset[0]) + math.radians(azimuth)
    above = math.degrees(math.asin(offset[2] / far)) + elevation
    above = math.radians(min(max(above, LOWEST), HIGHEST))
    level = far * math.cos(above)
    aim = camera.target if target is None else target
    position = (
        round(aim[0] + level * math.cos(around), 6),
        round(aim[1] + level * math.sin(around), 6),
        round(aim[2] + far * math.sin(above), 6),
    )
    half = math.tan(math.radians(camera.fov) / 2) / zoom
    fov = round(2 * math.degrees(math.atan(half)), 6)
    return Camera(position, aim, fov, round((camera.roll or 0.0) + roll, 6))


def framed_camera(
    camera: Camera, things: Sequence[Thing], share: float, image_px: Sequence[int]
) -> Camera:
    """Return a camera aimed at the things' centre, zoomed so that they fill a share of the image.

    Direction and distance are kept.

    ``share``: extent of the things' outermost corners as a share of the image's shorter side.
    """
    corners = np.concatenate([mesh.vertices for thing in things for mesh in thing.meshes()])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    # the world centre is not the centre in perspective, so aim at the visible centre
    for _ in range(2):
        aimed = orbit(camera, target=triple(middle))
        at = project(aimed, corners, image_px)  # (v, 3)
        low, high = at[:, :2].min(axis=0), at[:, :2].max(axis=0)
        right, up, forward = aimed.axes()
        scale = float((middle - aimed.position) @ forward) / focal_px(aimed, image_px[0])
        shift = ((low + high) / 2 - np.array(image_px) / 2) * scale
        middle = middle + shift[0] * right - shift[1] * up
    aimed = orbit(camera, target=triple(middle))
    at = project(aimed, corners, image_px)[:, :2] - np.array(image_px) / 2
    return orbit(aimed, zoom=share * min(image_px) / (2 * float(np.abs(at).max())))


def triple(values: ArrayLike) -> Triple:
    """Return three numbers, rounded to 6 digits."""
    x, y, z = np.round(np.asarray(values), 6).tolist()
    return x, y, z


def project(camera: Camera, points: ArrayLike, image_px: Sequence[int]) -> np.ndarray:
    """Return x and y in pixels, and the depth along the camera's axis, of world points.

    Result: float64 (..., 3); x and y are NaN for a point that is not in front of the camera.

    Parameters
    ----------
    points : float (..., 3)
    image_px : (width, height)
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


def facing(camera: Camera) -> float:
    """Return the rotation in degrees that places lights relative to a camera as in the settings."""
    offset = [p - t for p, t in zip(camera.position, camera.target, strict=True)]
    return round(math.degrees(math.atan2(offset[1], offset[0])) + 90, 6)


def lights(
    rng: random.Random, settings: dict[str, Any], turn: float = 0.0, tint: Triple = WHITE
) -> tuple[Light, Light]:
    """Draw both lights of a scene.

    Parameters
    ----------
    settings : ``light_jitter``: maximum shift of each light along each axis, world units
    turn : rotation of both around the scene, in degrees
    tint : (R, G, B); factor of their radiance
    """
    shift = settings["light_jitter"]
    found = []
    for middle, half, radiance in (KEY_LIGHT, FILL_LIGHT):
        x, y, z = (round(p + shift * rng.uniform(-1, 1), 6) for p in middle)
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        position = (round(cosine * x - sine * y, 6), round(sine * x + cosine * y, 6), z)
        red, green, blue = (round(radiance * t, 6) for t in tint)
        found.append(Light(position, half, (red, green, blue)))
    return found[0], found[1]
