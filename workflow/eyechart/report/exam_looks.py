"""Words, shapes and colours of the exam card; nothing is told by colour alone."""

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
class Look:
    """How a class is told apart, three times over: word, shape and colour; and what it means."""

    word: str
    shape: str
    color: str
    tint: str
    meaning: str


LOOKS = {  # in the order of the legend: from what works to what is not known
    USED: Look("used", "circle", GREEN, "#e0f3ec", "encoded, and the answer uses it"),
    BRAIN: Look("brain", "triangle", VERMILION, "#fbe3d5", "the language model has it, unused"),
    NERVE: Look("nerve", "diamond", ORANGE, "#fdefcf", "lost between encoder and language model"),
    EYES: Look("eyes", "square", BLUE, "#d9e9f5", "the encoder never encoded it"),
    PRIOR: Look("prior", "cross", PURPLE, "#f8e6f0", "answered without looking"),
    ENCODED: Look("encoded", "ring", GREEN, "#f0f8f5", "there; no language model to use it"),
    UNDECIDED: Look("undecided", "dash", GREY, "#f3f4f6", "these items cannot tell"),
}
LANES = {
    "alone": "encoder, alone",
    "encoder": "encoder",
    "connector": "connector",
    "lm_best": "LM best",
    "lm_last": "LM last",
    "sighted": "answer",
    "blind": "blind",
}
BAND_NAMES = {SIX: "Six tasks", QUESTION: "Questions about scenes", PATTERN: "Patterns of MMVP"}
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
    "encoder_sighted": "encoder − answer",
    "lm_sighted": "LM best − answer",
    "sighted_blind": "answer − blind",
}


def spoken(skill: str) -> str:
    """Write the name of a skill.

    >>> spoken("semantic_correspondence"), spoken("odd_one_out")
    ('semantic correspondence', 'odd one out')
    """
    return skill.replace("_", " ")
