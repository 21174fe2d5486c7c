"""Objects beyond CLEVR's three shapes, as data: arrow, box, house, sign, long cylinder.

An object with a ``form`` consists of the parts in :data:`PROPS` for its shape and form. Parts are
in the object frame: one unit is the half-width, the floor is at z = -1, +x is its pointing
direction and -y faces the viewer.
"""

from eyechart.rendering.scene.model import Solid, Turn


def _slab(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Solid:
    at = tuple((low + high) / 2 for low, high in (x, y, z))
    scale = tuple((high - low) / 2 for low, high in (x, y, z))
    return Solid("cube", (at[0], at[1], at[2]), (scale[0], scale[1], scale[2]))


_ROD, _LENGTH = 0.55, 1.4  # radius and half-length of the long cylinder
_CRATE = {
    "bottom": _slab((-1.3, 1.3), (-0.9, 0.9), (-1.0, -0.9)),
    "left": _slab((-1.3, -1.18), (-0.9, 0.9), (-1.0, 0.0)),
    "right": _slab((1.18, 1.3), (-0.9, 0.9), (-1.0, 0.0)),
    "front": _slab((-1.3, 1.3), (-0.9, -0.78), (-1.0, 0.0)),
    "back": _slab((-1.3, 1.3), (0.78, 0.9), (-1.0, 0.0)),
}
_AJAR: Turn = ("x", -12)  # an open lid leans back
_LEAN: Turn = ("x", -20)  # a sign leans back, because the camera looks down
_WALLS = {"walls": Solid("cube", (0, 0, -0.35), (1.0, 0.9, 0.65))}
PROPS: dict[str, dict[str, dict[str, Solid]]] = {
    "cube": {"": {"body": Solid("cube")}},
    "sphere": {"": {"body": Solid("sphere")}},
    "arrow": {
        "straight": {
            "shaft": Solid("cube", (-0.6, 0, -0.75), (0.9, 0.36, 0.25)),
            "head": Solid("wedge", (0.9, 0, -0.75), (0.7, 1.2, 0.25)),
        },
    },
    "box": {
        "open": {
            **_CRATE,
            "lid": Solid("cube", (0, 1.05, 0.75), (1.36, 0.08, 0.9), (_AJAR,), "accent"),
        },
        "closed": {
            **_CRATE,
            "lid": Solid("cube", (0, 0, 0.08), (1.36, 0.98, 0.08), (), "accent"),
        },
    },
    "cylinder": {
        "": {"body": Solid("tube"), "top": Solid("disk", (0, 0, 1))},
        "standing": {
            "body": Solid("tube", (0, 0, _LENGTH - 1), (_ROD, _ROD, _LENGTH)),
            "top": Solid("disk", (0, 0, 2 * _LENGTH - 1), (_ROD, _ROD, 1)),
        },
        "lying": {
            "body": Solid("tube", (0, 0, _ROD - 1), (_ROD, _ROD, _LENGTH), (("y", 90),)),
            "right": Solid("disk", (_LENGTH, 0, _ROD - 1), (_ROD, _ROD, 1), (("y", 90),)),
            "left": Solid("disk", (-_LENGTH, 0, _ROD - 1), (_ROD, _ROD, 1), (("y", -90),)),
        },
    },
    "house": {
        "pointed": {
            **_WALLS,
            "roof": Solid(
                "wedge", (0, 0, 0.85), (0.55, 1.2, 1.0), (("y", -90), ("z", 90)), "accent"
            ),
        },
        "flat": {**_WALLS, "roof": Solid("cube", (0, 0, 0.4), (1.2, 1.0, 0.1), (), "accent")},
    },
    "sign": {
        "panel": {
            "board": Solid("cube", (0, 0.06, 0.25), (1.3, 0.06, 1.3), (_LEAN,)),
            "text": Solid(
                "rectangle", (0, -0.02, 0.24), (1.14, 1.14, 1), (("x", 90), _LEAN), "text"
            ),
        },
    },
}  # fmt: skip
# Radius of each along the floor, in half-widths
REACH = {"arrow": 1.6, "box": 1.7, "cylinder": 1.55, "house": 1.6, "sign": 1.4}
