"""Pinhole cameras that orbit their target, roll and zoom."""

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

LOWEST, HIGHEST = 8.0, 75.0  # degrees above the floor


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes
    ----------
    position, target : world units
    fov : horizontal field of view in degrees
    roll : rotation of the camera about its axis in degrees, clockwise; the image turns back
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    fov: float
    roll: float = 0.0

    def axes(self) -> np.ndarray:
        """Return the unit vectors right, up and forward as rows (3, 3)."""
        forward = np.subtract(self.target, self.position)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        turn = math.radians(self.roll)
        rolled = math.cos(turn) * right - math.sin(turn) * up
        return np.stack([rolled, np.cross(rolled, forward), forward])

    def width_at_target(self) -> float:
        """Return the width of the image at the target, in world units."""
        far = math.dist(self.position, self.target)
        return 2 * far * math.tan(math.radians(self.fov) / 2)


def jittered_camera(rng: random.Random, settings: dict[str, Any]) -> Camera:
    """Return the camera of the settings, shifted by up to its jitter along each axis."""
    camera = settings["camera"]
    jitter = camera["jitter"]
    x, y, z = (round(c + rng.uniform(-jitter, jitter), 6) for c in camera["position"])
    tx, ty, tz = camera["target"]
    return Camera((x, y, z), (tx, ty, tz), camera["fov"])


def orbit(
    camera: Camera,
    azimuth: float = 0.0,
    elevation: float = 0.0,
    roll: float = 0.0,
    zoom: float = 1.0,
    target: tuple[float, float, float] | None = None,
) -> Camera:
    """Return a camera moved around its target at the same distance, then rolled and zoomed.

    Parameters
    ----------
    azimuth, elevation, roll : float
        Degrees, added to the camera's own; the elevation is clipped to 8 to 75.
    zoom : float
        Magnification at the target.
    target : (x, y, z), optional
        Another target; the camera moves with it.
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
    return Camera(position, aim, fov, round(camera.roll + roll, 6))
