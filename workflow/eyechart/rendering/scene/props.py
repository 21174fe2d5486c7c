"""Objects beyond CLEVR's three shapes, as data: arrow, box, house, sign, long cylinder.

An object with a ``form`` consists of the parts in :data:`PROPS` for its shape and form. Parts are
in the object frame: one unit is the half-width, the floor is at z = -1, +x is its pointing
direction and -y faces the viewer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Turn = tuple[tuple[int, int, int], float]  # axis and degrees
X, Y, Z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
# Corners and faces of a wedge: a triangle that points to +x, with z in -1..1
WEDGE = [[-1, -1, -1], [-1, 1, -1], [1, 0, -1], [-1, -1, 1], [-1, 1, 1], [1, 0, 1]]
WEDGE_FACES = [[0, 1, 2], [3, 5, 4], [0, 3, 4], [0, 4, 1], [0, 2, 5], [0, 5, 3], [1, 4, 5],
               [1, 5, 2]]  # fmt: skip
TEXT_PX = 64


@dataclass(frozen=True)
class PropPart:
    """One shape of an object: scaled, then rotated (in this order), then translated.

    ``kind`` is ``wedge`` or one of Mitsuba's shapes; ``paint`` is ``own`` (the object's colour),
    ``accent`` (its second) or ``text`` (its letter, black on white).
    """

    kind: str
    at: tuple[float, float, float]
    scale: tuple[float, float, float]
    turns: tuple[Turn, ...] = ()
    paint: str = "own"


def _slab(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> PropPart:
    at = tuple((low + high) / 2 for low, high in (x, y, z))
    scale = tuple((high - low) / 2 for low, high in (x, y, z))
    return PropPart("cube", (at[0], at[1], at[2]), (scale[0], scale[1], scale[2]))


_ROD, _LENGTH = 0.55, 1.4  # radius and half-length of the long cylinder
_CRATE = {
    "bottom": _slab((-1.3, 1.3), (-0.9, 0.9), (-1.0, -0.9)),
    "left": _slab((-1.3, -1.18), (-0.9, 0.9), (-1.0, 0.0)),
    "right": _slab((1.18, 1.3), (-0.9, 0.9), (-1.0, 0.0)),
    "front": _slab((-1.3, 1.3), (-0.9, -0.78), (-1.0, 0.0)),
    "back": _slab((-1.3, 1.3), (0.78, 0.9), (-1.0, 0.0)),
}
_AJAR: Turn = (X, -12)  # an open lid leans back
_LEAN: Turn = (X, -20)  # a sign leans back, since the camera looks down
_WALLS = {"walls": PropPart("cube", (0, 0, -0.35), (1.0, 0.9, 0.65))}
PROPS: dict[str, dict[str, dict[str, PropPart]]] = {
    "arrow": {
        "straight": {
            "shaft": PropPart("cube", (-0.6, 0, -0.75), (0.9, 0.36, 0.25)),
            "head": PropPart("wedge", (0.9, 0, -0.75), (0.7, 1.2, 0.25)),
        },
    },
    "box": {
        "open": {
            **_CRATE,
            "lid": PropPart("cube", (0, 1.05, 0.75), (1.36, 0.08, 0.9), (_AJAR,), "accent"),
        },
        "closed": {
            **_CRATE,
            "lid": PropPart("cube", (0, 0, 0.08), (1.36, 0.98, 0.08), (), "accent"),
        },
    },
    "cylinder": {
        "standing": {
            "body": PropPart("tube", (0, 0, _LENGTH - 1), (_ROD, _ROD, _LENGTH)),
            "top": PropPart("disk", (0, 0, 2 * _LENGTH - 1), (_ROD, _ROD, 1)),
        },
        "lying": {
            "body": PropPart("tube", (0, 0, _ROD - 1), (_ROD, _ROD, _LENGTH), ((Y, 90),)),
            "right": PropPart("disk", (_LENGTH, 0, _ROD - 1), (_ROD, _ROD, 1), ((Y, 90),)),
            "left": PropPart("disk", (-_LENGTH, 0, _ROD - 1), (_ROD, _ROD, 1), ((Y, -90),)),
        },
    },
    "house": {
        "pointed": {
            **_WALLS,
            "roof": PropPart(
                "wedge", (0, 0, 0.85), (0.55, 1.2, 1.0), ((Y, -90), (Z, 90)), "accent"
            ),
        },
        "flat": {**_WALLS, "roof": PropPart("cube", (0, 0, 0.4), (1.2, 1.0, 0.1), (), "accent")},
    },
    "sign": {
        "panel": {
            "board": PropPart("cube", (0, 0.06, 0.25), (1.3, 0.06, 1.3), (_LEAN,)),
            "text": PropPart(
                "rectangle", (0, -0.02, 0.24), (1.14, 1.14, 1), ((X, 90), _LEAN), "text"
            ),
        },
    },
}  # fmt: skip
# Radius of each along the floor, in half-widths
REACH = {"arrow": 1.6, "box": 1.7, "cylinder": 1.55, "house": 1.6, "sign": 1.4}


def place_part(transform: Any, place: Any, part: PropPart) -> Any:
    """Return the transform of one part of an object at ``place``."""
    moved = place @ transform().translate(part.at)
    for axis, degrees in reversed(part.turns):
        moved = moved @ transform().rotate(axis, degrees)
    return moved @ transform().scale(part.scale)


def build_part(mi: Any, name: str, part: PropPart, to_world: Any, bsdf: dict[str, Any]) -> Any:
    """Return what Mitsuba loads for one part: a description, or a mesh called ``name``."""
    if part.kind == "wedge":
        return _wedge(mi, name, to_world, bsdf)
    ends = {"p0": [0, 0, -1], "p1": [0, 0, 1], "radius": 1} if part.kind == "tube" else {}
    kind = "cylinder" if part.kind == "tube" else part.kind
    return {"type": kind, **ends, "to_world": to_world, "bsdf": bsdf}


def draw_text(text: str) -> np.ndarray:
    """Return black capitals that fill a white square: float32 (64, 64, 3), linear light 0..1."""
    image = Image.new("L", (TEXT_PX, TEXT_PX), 255)
    font = ImageFont.load_default(size=1.2 * TEXT_PX)
    left, top, right, bottom = font.getbbox(text, stroke_width=2)
    corner = ((TEXT_PX - left - right) / 2, (TEXT_PX - top - bottom) / 2)
    ImageDraw.Draw(image).text(corner, text, fill=0, font=font, stroke_width=2)
    # the renderer counts texture rows from the bottom
    light = np.asarray(image, dtype=np.float32)[::-1, :, None] / 255 * 0.9 + 0.02
    return np.ascontiguousarray(np.broadcast_to(light, (TEXT_PX, TEXT_PX, 3)))


def _wedge(mi: Any, name: str, to_world: Any, bsdf: dict[str, Any]) -> Any:
    given = mi.Properties()
    given["bsdf"] = mi.load_dict(bsdf)
    mesh = mi.Mesh(name, len(WEDGE), len(WEDGE_FACES), props=given)
    matrix = np.array(to_world.matrix)
    corners = np.array(WEDGE) @ matrix[:3, :3].T + matrix[:3, 3]  # (6, 3)
    values = mi.traverse(mesh)
    values["vertex_positions"] = corners.astype(np.float32).ravel()
    values["faces"] = np.array(WEDGE_FACES, dtype=np.uint32).ravel()
    values.update()
    return mesh
