"""The nine visual patterns of MMVP and MMVP-VLM, and their names in the column ``Type``."""

import re

from eyechart.core.errors import UserError

# In the order of the paper's table (Tong et al., CVPR 2024), with prefixes of their words
WORDS = {
    "orientation": ("orientation", "direction"),
    "presence": ("presence",),
    "state": ("state",),
    "quantity": ("quantity", "count"),
    "position": ("position", "spatial"),
    "color": ("color", "colour"),
    "structure": ("structur",),
    "text": ("text",),
    "viewpoint": ("camera", "viewpoint", "perspective"),
}
PATTERNS = tuple(WORDS)


def pattern_of(name: str, where: str) -> str:
    """Return the pattern named by a ``Type``, as written in folders, tables and papers.

    Examples are ``Camera_Perspective``, ``Positional and Relational Context`` and ``Structural
    Character``: words in any case, separated by spaces or underscores. Raise a UserError that
    begins with ``where`` if the name does not match exactly one pattern.

    >>> pattern_of("Camera_Perspective", "Questions.csv: line 2")
    'viewpoint'
    """
    words = re.findall(r"[a-z]+", name.lower())
    # by prefixes of words: the 'context' of 'Relational Context' does not match 'text'
    found = [p for p, starts in WORDS.items() if any(word.startswith(starts) for word in words)]
    if len(found) != 1:
        raise UserError(
            f"{where}: Type is {name!r}, expected one of the nine patterns: {', '.join(PATTERNS)}"
        )
    return found[0]
