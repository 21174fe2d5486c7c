"""Names of the six vision-centric tasks, and checks of their question wordings.

This module is used to check the configuration, so it imports only the standard library.
"""

import string

from eyechart.core.errors import UserError, nearest

DEPTH = "depth_order"
SEMANTIC = "semantic_correspondence"
FUNCTIONAL = "functional_correspondence"
LOW_LEVEL = "low_level_matching"
ODD = "odd_one_out"
STYLE = "art_style"
OFFICIAL = "official"  # the dataset's own wording
# BLINK's sub-tasks by folder name
BLINK = {
    "Semantic_Correspondence": SEMANTIC,
    "Functional_Correspondence": FUNCTIONAL,
    "Visual_Correspondence": LOW_LEVEL,
    "Art_Style": STYLE,
}
_FIELDS = {DEPTH: {"a", "b"}}  # further fields a wording may use: the two objects


def check_wording(wording: dict[str, str], tasks: list[str], official: bool, where: str) -> None:
    """Raise a UserError for a missing wording or an unknown field in one.

    ``official``: whether the dataset has its own questions; ``where`` starts the message.
    """
    for task in tasks:
        fields_of(wording, task, _FIELDS.get(task, set()), where)
        if wording[task] == OFFICIAL and not official:
            raise UserError(
                f"{where}.{task} is {OFFICIAL!r}, but the dataset has no questions; write one"
            )


def fields_of(wording: dict[str, str], task: str, allowed: set[str], where: str) -> set[str]:
    """Return the fields in a task's wording; raise a UserError for no wording or other fields."""
    if task not in wording:
        raise UserError(f"{where}: the key {task!r} is missing; {nearest(task, wording)}")
    text = wording[task]
    try:
        found = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise UserError(f"{where}.{task} is {text!r}, with a lone brace ({error})") from None
    for field in sorted(found - allowed):
        raise UserError(f"{where}.{task}: unknown field {field!r}; {nearest(field, allowed)}")
    return found
