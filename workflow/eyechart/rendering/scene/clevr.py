"""Draw the plan of a scene (camera, lights and objects), and build the scene of a plan.

A plan is a dict with CLEVR's keys (``objects`` with shape, size, color, material, 3d_coords and
rotation; ``directions``; ``relationships``) plus ``camera`` and ``lights``, for the renderer.
World units are CLEVR's: a large object has a half-width of 0.7.
"""

import math
from typing import Any

import numpy as np

from eyechart.core.errors import UserError
from eyechart.rendering.scene.materials import Surface
from eyechart.rendering.scene.model import Camera, Light, Scene, Thing
from eyechart.rendering.scene.props import PROPS
from eyechart.rendering.scene.viewing import FILL_LIGHT, KEY_LIGHT, triple
from eyechart.rendering.scene.vocabulary import ATTRIBUTES, COLORS, SIZES

Plan = dict[str, Any]
GREY = 255 * (1.055 * 0.55 ** (1 / 2.4) - 0.055)  # sRGB of the floor's reflectance, 0.55
TRIES = 200
RELATION_MARGIN = 0.2  # CLEVR's eps: smaller offsets along a direction count as neither side


def draw_plan(rng: np.random.Generator, settings: dict[str, Any]) -> Plan:
    """Draw one scene plan.

    Parameters
    ----------
    rng : numpy.random.Generator; the only source of randomness
    settings : the config's ``rendering`` section: ``objects`` [low, high], ``extent`` (half-width
        of the square with objects, world units), ``gap`` (minimum free space between two objects),
        ``camera`` (``position``, ``target``, ``fov`` in degrees, ``jitter``), ``light_jitter``
    """
    low, high = settings["objects"]
    count = int(rng.integers(low, high + 1))
    camera = _jittered_camera(rng, settings["camera"])
    objects = _place(rng, count, settings)
    directions = view_directions(camera)
    return {
        "objects": objects,
        "directions": directions,
        "relationships": relationships(objects, directions),
        "camera": camera,
        "lights": (settings["light_jitter"] * rng.uniform(-1, 1, (2, 3))).round(6).tolist(),
    }


def scene_of(plan: Plan) -> Scene:
    """Return the scene of a plan; its things are the plan's objects, each with one part."""
    lights = [
        Light(triple(np.add(middle, jitter)), half, (radiance,) * 3)
        for (middle, half, radiance), jitter in zip(
            (KEY_LIGHT, FILL_LIGHT), plan["lights"], strict=True
        )
    ]
    seen = plan["camera"]
    camera = Camera(triple(seen["position"]), triple(seen["target"]), seen["fov"])
    things = tuple(thing_of(obj) for obj in plan["objects"])
    return Scene(things, tuple(lights), camera, floor=Surface((GREY,) * 3))


def thing_of(obj: dict[str, Any]) -> Thing:
    """Build the thing for a plan's object: one of CLEVR's shapes, or one with a ``form``."""
    paints = {"own": "color", "accent": "accent"}
    surfaces = {
        paint: Surface(COLORS[obj[key]], finish=obj["material"])
        for paint, key in paints.items()
        if key in obj
    }
    surfaces["text"] = Surface((0, 0, 0), text=obj.get("text", ""))
    solids = PROPS[obj["shape"]][obj.get("form", "")]
    named = {f"{obj['shape']}.{name}": solid for name, solid in solids.items()}
    at = triple(obj["3d_coords"])
    return Thing(obj["shape"], named, surfaces, at, obj["rotation"], half_width(obj))


def view_directions(camera: dict[str, Any]) -> dict[str, list[float]]:
    """Return unit vectors in the floor plane, seen by the camera: left, right, front, behind."""
    forward = np.subtract(camera["target"], camera["position"])
    behind = np.array([forward[0], forward[1], 0.0])
    behind /= np.linalg.norm(behind)
    right = np.cross(behind, [0.0, 0.0, 1.0])
    named = {"behind": behind, "front": -behind, "right": right, "left": -right}
    return {
        **{name: [round(float(x), 6) for x in vector] for name, vector in named.items()},
        "above": [0.0, 0.0, 1.0],
        "below": [0.0, 0.0, -1.0],
    }


def relationships(
    objects: list[dict[str, Any]], directions: dict[str, list[float]]
) -> dict[str, list[list[int]]]:
    """Return the sorted indices of objects in each relation to each object."""
    coords = np.array([o["3d_coords"] for o in objects]).reshape(-1, 3)
    table = {}
    for name in ("left", "right", "front", "behind"):
        offset = (coords[None, :, :] - coords[:, None, :]) @ np.array(directions[name])  # (n, n)
        table[name] = [np.flatnonzero(row > RELATION_MARGIN).tolist() for row in offset]
    return table


def half_width(obj: dict[str, Any]) -> float:
    """Return an object's half-width; CLEVR shrinks cubes by a factor of sqrt(2)."""
    size = SIZES[obj["size"]]
    return size / math.sqrt(2) if obj["shape"] == "cube" else size


def _jittered_camera(rng: np.random.Generator, camera: dict[str, Any]) -> dict[str, Any]:
    jitter = rng.uniform(-camera["jitter"], camera["jitter"], 3)
    position = (np.array(camera["position"]) + jitter).round(6).tolist()
    return {"position": position, "target": camera["target"], "fov": camera["fov"]}


def _place(rng: np.random.Generator, count: int, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Place objects on the floor so that no two touch; restart if there is no room left."""
    for _ in range(TRIES):
        placed: list[dict[str, Any]] = []
        for _ in range(TRIES):
            if len(placed) == count:
                return placed
            candidate = _draw_object(rng, settings["extent"])
            if all(_free_space(candidate, other) >= settings["gap"] for other in placed):
                placed.append(candidate)
        if len(placed) == count:
            return placed
    raise UserError(
        f"rendering: no room for {count} objects within extent {settings['extent']} with gap "
        f"{settings['gap']}; lower rendering.objects or rendering.gap, or raise rendering.extent"
    )


def _draw_object(rng: np.random.Generator, extent: float) -> dict[str, Any]:
    obj: dict[str, Any] = {n: str(rng.choice(values)) for n, values in ATTRIBUTES.items()}
    x, y = rng.uniform(-extent, extent, 2)
    obj["3d_coords"] = [round(float(x), 6), round(float(y), 6), round(half_width(obj), 6)]
    obj["rotation"] = round(float(rng.uniform(0, 360)), 6)
    return obj


def _free_space(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Return the gap between two objects' floor circles (a cube's circle includes its corners)."""
    distance = math.dist(a["3d_coords"][:2], b["3d_coords"][:2])
    return distance - SIZES[a["size"]] - SIZES[b["size"]]
