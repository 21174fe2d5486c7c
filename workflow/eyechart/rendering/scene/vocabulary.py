"""CLEVR's vocabulary: attribute values, their colours and sizes.

Source: Johnson et al. 2017, section 3 and the properties file of the CLEVR generator.
"""

COLORS = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}
SIZES = {"large": 0.7, "small": 0.35}
MATERIALS = ("rubber", "metal")
SHAPES = ("cube", "sphere", "cylinder")

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "size": tuple(SIZES),
    "color": tuple(COLORS),
    "material": MATERIALS,
    "shape": SHAPES,
}
RELATIONS = ("left", "right", "front", "behind")
