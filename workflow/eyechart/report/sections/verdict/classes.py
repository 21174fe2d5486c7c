"""Words, shapes and colours of the verdicts; nothing is shown by colour alone."""

from dataclasses import dataclass

from eyechart.report.chart_style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from eyechart.tables.verdict import (
    BRAIN,
    ENCODED,
    EYES,
    NERVE,
    PATTERN,
    PRIOR,
    QUESTION,
    SIX,
    UNDECIDED,
    USED,
)


@dataclass(frozen=True)
class ClassLook:
    """How a class is shown, by word, shape and colour, and what it means."""

    word: str
    shape: str
    color: str
    tint: str
    meaning: str


LOOKS = {  # in the order of the legend: from what works to what is not known
    USED: ClassLook("used", "circle", GREEN, "#e0f3ec", "encoded, and the response uses it"),
    BRAIN: ClassLook("brain", "triangle", VERMILION, "#fbe3d5", "in the LM, but not used"),
    NERVE: ClassLook("nerve", "diamond", ORANGE, "#fdefcf", "lost between encoder and LM"),
    EYES: ClassLook("eyes", "square", BLUE, "#d9e9f5", "not encoded by the vision encoder"),
    PRIOR: ClassLook("prior", "cross", PURPLE, "#f8e6f0", "answered without using the image"),
    ENCODED: ClassLook("encoded", "ring", GREEN, "#f0f8f5", "encoded; no language model to use it"),
    UNDECIDED: ClassLook("undecided", "dash", GREY, "#f3f4f6", "the evidence does not decide"),
}
LANES = {
    "alone": "encoder, alone",
    "encoder": "encoder",
    "connector": "connector",
    "lm_best": "LM best",
    "lm_last": "LM last",
    "sighted": "response",
    "blind": "blind",
}
BAND_NAMES = {SIX: "Six tasks", QUESTION: "Questions about scenes", PATTERN: "MMVP patterns"}
LIT = {  # the stages that a rule points at
    "right without looking": ("sighted", "blind"),
    "used": ("sighted", "blind"),
    "held and unused": ("lm_best", "sighted"),
    "lost on the way": ("encoder", "connector", "lm_best"),
    "not encoded": ("alone", "encoder"),
    "says the same blind": ("sighted", "blind"),
    "nobody to use it": ("alone", "encoder"),
    "none": (),
}
TESTED = {
    "encoder_connector": "encoder − connector",
    "encoder_lm": "encoder − LM best",
    "encoder_sighted": "encoder − response",
    "lm_sighted": "LM best − response",
    "sighted_blind": "response − blind",
}


def skill_name(skill: str) -> str:
    """Return the name of a skill.

    >>> skill_name("semantic_correspondence"), skill_name("odd_one_out")
    ('semantic correspondence', 'odd one out')
    """
    return skill.replace("_", " ")
