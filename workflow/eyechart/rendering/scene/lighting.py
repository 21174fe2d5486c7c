"""Draw key and fill light: jittered, rotated around the scene and tinted."""

import math
import random
from typing import Any

from eyechart.rendering.renderer import FILL_LIGHT, KEY_LIGHT
from eyechart.rendering.scene.cameras import Camera
from eyechart.rendering.scene.objects import Light, Triple

WHITE: Triple = (1.0, 1.0, 1.0)


def facing(camera: Camera) -> float:
    """Return the rotation in degrees that puts lights relative to a camera as in the settings."""
    offset = [p - t for p, t in zip(camera.position, camera.target, strict=True)]
    return round(math.degrees(math.atan2(offset[1], offset[0])) + 90, 6)


def lights(
    rng: random.Random, settings: dict[str, Any], turn: float = 0.0, tint: Triple = WHITE
) -> tuple[Light, Light]:
    """Draw both lights.

    Parameters
    ----------
    settings : dict
        ``light_jitter``: maximum shift of each light along each axis, world units.
    turn : float
        Rotation of both around the scene, in degrees.
    tint : (R, G, B)
        Factor on their radiance.
    """
    shift = settings["light_jitter"]
    found = []
    named: tuple[dict[str, Any], ...] = (KEY_LIGHT, FILL_LIGHT)
    for light in named:
        x, y, z = (round(p + shift * rng.uniform(-1, 1), 6) for p in light["position"])
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        position = (round(cosine * x - sine * y, 6), round(sine * x + cosine * y, 6), z)
        red, green, blue = (round(light["radiance"] * t, 6) for t in tint)
        found.append(Light(position, light["scale"], (red, green, blue)))
    return found[0], found[1]
