"""The nine visual patterns of MMVP and MMVP-VLM, and which of them a file's ``Type`` names."""

import re

from eyechart.core.errors import UserError

# In the order of the paper's table (Tong et al., CVPR 2024); each with how its words may begin
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
    """Give the pattern that a ``Type`` names, as folders, tables and papers write it.

    ``Camera_Perspective``, ``Positional and Relational Context`` and ``Structural Character`` are
    such names: blanks or underscores between words, in any case.

    Parameters
    ----------
    name : str
        The ``Type``.
    where : str
        Opens the error sentence: file and row.

    Raises
    ------
    UserError
        If the name has words of no pattern, or of two.

    Examples
    --------
    >>> pattern_of("Camera_Perspective", "Questions.csv: line 2")
    'viewpoint'
    """
    words = re.findall(r"[a-z]+", name.lower())
    # by the words' beginnings: the 'context' of 'Relational Context' is no 'text'
    found = [p for p, starts in WORDS.items() if any(word.startswith(starts) for word in words)]
    if len(found) != 1:
        raise UserError(
            f"{where}: Type is {name!r}, expected one of the nine patterns: {', '.join(PATTERNS)}"
        )
    return found[0]
