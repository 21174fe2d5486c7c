"""COCO's tasks and their wording: articles and plurals of categories, slugs, sides.

This module is used to check the configuration, so it imports only the standard library.
"""

import re
from typing import Any

from eyechart.core.errors import UserError
from eyechart.data.canvas.tasks import fields_of

OBJECT_COUNT = "object_count"
SAMPLINGS = ("random", "popular", "adversarial")
PRESENCE = tuple(f"presence_{sampling}" for sampling in SAMPLINGS)
ITEM_TASKS = (*PRESENCE, "position", "counting")  # in addition to caption, which is open-ended
SIDES = (("left", "right"), ("top", "bottom"))
NO_OBJECT = "nothing"
# Fields a wording may use; it must use at least one of them
_FIELDS = {
    "presence": ({"category", "a_category", "plural"}, [{"category", "a_category", "plural"}]),
    "position": ({"category", "a_category", "side"}, [{"category", "a_category"}, {"side"}]),
    "counting": ({"category", "plural"}, [{"category", "plural"}]),
    "caption": (set[str](), []),
}
_PLURALS = {
    "person": "people",
    "mouse": "mice",
    "knife": "knives",
    "sheep": "sheep",
    "skis": "skis",
    "scissors": "scissors",
    "broccoli": "pieces of broccoli",
}
_PAIRS = {"skis", "scissors"}


def slug(category: str) -> str:
    """Return a category's name in the form used in task names.

    >>> slug("dining table")
    'dining_table'
    """
    return re.sub(r"[^a-z0-9]+", "_", category.lower()).strip("_")


def plural(category: str) -> str:
    """Return the plural of a category; only its last word changes.

    >>> plural("wine glass"), plural("red cube"), plural("person")
    ('wine glasses', 'red cubes', 'people')
    """
    *before, last = category.split(" ")
    if last in _PLURALS:
        ending = _PLURALS[last]
    elif re.search(r"(s|x|z|ch|sh)$", last):
        ending = f"{last}es"
    elif re.search(r"[^aeiou]y$", last):
        ending = f"{last[:-1]}ies"
    else:
        ending = f"{last}s"
    return " ".join([*before, ending])


def a_category(category: str) -> str:
    """Return a category with its indefinite article.

    >>> a_category("dog"), a_category("umbrella"), a_category("scissors")
    ('a dog', 'an umbrella', 'a pair of scissors')
    """
    if category.rsplit(" ", maxsplit=1)[-1] in _PAIRS:
        return f"a pair of {category}"
    return f"{'an' if category[0].lower() in 'aeiou' else 'a'} {category}"


def check_wording(wording: dict[str, str], where: str) -> None:
    """Raise a UserError for a wording with an unknown field or without a required one.

    ``where`` starts the message, e.g. ``datasets.coco.wording``.
    """
    for task, (allowed, needed) in _FIELDS.items():
        fields = fields_of(wording, task, allowed, where)
        for choice in needed:
            if not choice & fields:
                words = " or ".join(f"{{{field}}}" for field in sorted(choice))
                raise UserError(
                    f"{where}.{task} is {wording[task]!r}, expected the field {words} in it"
                )


def word(text: str, category: str, side: str) -> str:
    """Return the filled-in question about a category and a side; either may be empty.

    >>> word("Is {a_category} on the {side}?", "dog", "left")
    'Is a dog on the left?'
    """
    if not category:
        return text.format()
    words = {"category": category, "a_category": a_category(category), "plural": plural(category)}
    return text.format(**words, side=side)


def sides(box: list[float], size: tuple[int, int], margin: float) -> list[tuple[str, str]]:
    """Return the side of a box and the opposite side for each axis; none for a box in the middle.

    The box is left, top, width, height in px, as in COCO. ``size`` is the width and height of the
    image in px, and ``margin`` the half-width of the middle band as a share of the image's side.
    """
    found = []
    for axis, (low, high) in enumerate(SIDES):
        offset = (box[axis] + box[axis + 2] / 2) / size[axis] - 0.5
        if abs(offset) > margin:
            found.append((low, high) if offset < 0 else (high, low))
    return found


def image_tasks(categories: list[str]) -> list[str]:
    """Return the names of all image tasks, in the order of the table."""
    return [OBJECT_COUNT, *(f"has_{slug(category)}" for category in categories)]


def image_labels(objects: list[dict[str, Any]], categories: list[str], most: int) -> dict[str, str]:
    """Return the label of every image task for one image's objects.

    A crowd has no object count, so ``object_count`` excludes it; ``has_<category>`` includes it.
    For counts of at least ``most``, the label is ``<most>+``.
    """
    count = sum(not thing["iscrowd"] for thing in objects)
    present = {thing["category"] for thing in objects}
    has = ["yes" if number in present else "no" for number in range(len(categories))]
    counted = str(count) if count < most else f"{most}+"
    return dict(zip(image_tasks(categories), [counted, *has], strict=True))


def image_type(objects: list[dict[str, Any]], categories: list[str]) -> str:
    """Return the category of the object with the largest area: the image's input type."""
    single = [thing for thing in objects if not thing["iscrowd"]]
    if not single:
        return NO_OBJECT
    largest = max(single, key=lambda thing: (thing["area"], -thing["id"]))
    return categories[largest["category"]]
