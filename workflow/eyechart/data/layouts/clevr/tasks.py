"""CLEVR's tasks: the six tasks of questions, and the labels of images from their scenes."""

from collections import Counter
from typing import Any

# Attribute values in the order of CLEVR's own metadata.json
ATTRIBUTES = {
    "color": ["gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow"],
    "shape": ["cube", "sphere", "cylinder"],
    "material": ["rubber", "metal"],
    "size": ["small", "large"],
}
RADII = {"small": 0.35, "large": 0.7}  # radius of an object of each size, in scene units
FOCAL = 35 / 32  # focal length of CLEVR's camera, in widths of the image (Blender's default sensor)
# VLM-Lens groups CLEVR's questions by answer type
ITEM_TASKS = {
    **ATTRIBUTES,
    "number": [str(number) for number in range(11)],
    "boolean": ["yes", "no"],
}
TASK_OF_ANSWER = {answer: task for task, answers in ITEM_TASKS.items() for answer in answers}
IMAGE_TASKS = [
    "object_count",
    *(f"has_{value}" for values in ATTRIBUTES.values() for value in values),
    *(f"majority_{attribute}" for attribute in ATTRIBUTES),
]
NO_OBJECT = "nothing"
CAPTION = "caption"  # the task of open questions for all objects; only rendered scenes have them
DESCRIBE = "describe"  # the last function of their programs, which CLEVR does not have


def image_labels(scene: dict[str, Any]) -> dict[str, str | None]:
    """Return the label of every image task for one scene.

    Result: in the order of :data:`IMAGE_TASKS`: ``object_count`` ("0", "1", …), ``has_<value>``
    ("yes"/"no"), ``majority_<attribute>`` (the most common value; None for a tie or an empty
    scene).
    """
    objects = scene["objects"]
    labels: dict[str, str | None] = {"object_count": str(len(objects))}
    counts = {name: Counter(thing[name] for thing in objects) for name in ATTRIBUTES}
    for name, values in ATTRIBUTES.items():
        labels |= {f"has_{value}": "yes" if counts[name][value] else "no" for value in values}
    return labels | {f"majority_{name}": _majority(counts[name]) for name in ATTRIBUTES}


def image_type(scene: dict[str, Any]) -> str:
    """Return ``<shape> <color>`` of the object nearest the camera: the image's input type.

    The nearest object is the one farthest along the scene's ``front`` direction on the floor, so no
    other object is in its ``relationships["front"]``. Hewitt & Liang's control task requires
    recurring types; there are 24.
    """
    if not scene["objects"]:
        return NO_OBJECT
    nearest = nearest_first(scene)[0]
    return f"{nearest['shape']} {nearest['color']}"


def nearest_first(scene: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a scene's objects, from the nearest to the camera to the farthest on the floor."""
    front = scene["directions"]["front"]

    def towards_camera(thing: dict[str, Any]) -> float:
        return sum(a * b for a, b in zip(thing["3d_coords"], front, strict=True))

    return sorted(scene["objects"], key=towards_camera, reverse=True)


def answer_text(answer: Any) -> str:
    """Return an answer as text, as in CLEVR's release; the generator may write bool or int."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return str(answer)


def _majority(counts: Counter[str]) -> str | None:
    top = counts.most_common(2)
    if not top or (len(top) == 2 and top[0][1] == top[1][1]):
        return None
    return top[0][0]
