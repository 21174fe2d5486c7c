"""The six vision-centric tasks by name, and how their questions may be worded.

Configuration is checked with this, so it needs the standard library alone.
"""

import string

from eyechart.core.errors import UserError, nearest

DEPTH = "depth_order"
SEMANTIC = "semantic_correspondence"
FUNCTIONAL = "functional_correspondence"
LOW_LEVEL = "low_level_matching"
ODD = "odd_one_out"
STYLE = "art_style"
SKILLS = (DEPTH, SEMANTIC, FUNCTIONAL, LOW_LEVEL, ODD, STYLE)
OFFICIAL = "official"  # the wording that the dataset itself has
# sub-tasks of BLINK, by the names of their folders
BLINK = {
    "Semantic_Correspondence": SEMANTIC,
    "Functional_Correspondence": FUNCTIONAL,
    "Visual_Correspondence": LOW_LEVEL,
    "Art_Style": STYLE,
}
_FIELDS = {DEPTH: {"a", "b"}}  # what else a wording may name: the two objects


def check_wording(wording: dict[str, str], tasks: list[str], official: bool, where: str) -> None:
    """Raise a UserError for a wording that is missing, or names a field that does not exist.

    ``official`` says whether the dataset has questions of its own; ``where`` begins the sentence.
    """
    for task in tasks:
        if task not in wording:
            raise UserError(f"{where}: the key {task!r} is missing; {nearest(task, wording)}")
        text = wording[task]
        if text == OFFICIAL and not official:
            raise UserError(
                f"{where}.{task} is {OFFICIAL!r}, but the dataset has no questions; write one"
            )
        try:
            fields = {field for _, field, _, _ in string.Formatter().parse(text)} - {None}
        except ValueError as error:
            raise UserError(f"{where}.{task} is {text!r}, with a lone brace ({error})") from None
        for field in sorted(str(field) for field in fields - _FIELDS.get(task, set())):
            hint = nearest(field, _FIELDS.get(task, set()))
            raise UserError(f"{where}.{task}: unknown field {field!r}; {hint}")
