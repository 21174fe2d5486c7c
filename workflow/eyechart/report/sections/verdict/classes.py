"""Words, shapes and colours of the classes; nothing is shown by colour alone."""

from dataclasses import dataclass
from typing import Any

from eyechart.core.address import located
from eyechart.report.chart_style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from eyechart.tables.verdict import COMPARISONS, PATTERN, QUESTION, REFUTED, SHOWN, SIX


@dataclass(frozen=True)
class ClassLook:
    """The word, shape, colour and meaning of a class."""

    word: str
    shape: str
    color: str
    tint: str
    meaning: str


_BRAIN = VERMILION, "#fbe3d5"
LOOKS = {  # in legend order: along the model, then undecided
    "used": ClassLook("used", "circle", GREEN, "#e0f3ec", "right, and better than blind"),
    "not_encoded": ClassLook(
        "not encoded", "square", BLUE, "#d9e9f5", "eyes: the encoder lacks it"
    ),
    "lost_in_connector": ClassLook(
        "lost in connector", "diamond", ORANGE, "#fdefcf", "nerve: the encoder has it"
    ),
    "lost_in_lm": ClassLook(
        "lost in LM", "triangle-down", *_BRAIN, "brain: its image tokens had it and lose it"
    ),
    "not_retrieved": ClassLook(
        "not retrieved", "triangle-up", *_BRAIN, "brain: image tokens have it, it gets no further"
    ),
    "not_verbalised": ClassLook(
        "not verbalised", "triangle-right", *_BRAIN, "brain: retrieved, but the answer lacks it"
    ),
    "not_used": ClassLook(
        "not used", "triangle-left", *_BRAIN, "brain: the LM has it, the answer does not"
    ),
    "prior": ClassLook("prior", "cross", PURPLE, "#f8e6f0", "as good, or the same, when blind"),
    "encoded": ClassLook("encoded", "ring", GREEN, "#f0f8f5", "an encoder has it; no LM to use it"),
    "undecided": ClassLook("undecided", "dash", GREY, "#f3f4f6", "too few items to tell"),
}
KEPT = ("used", "encoded", "prior", "not_encoded")  # classes without a loss
SLOTS = {  # the five bars of a strip, each drawn from the first of its stages that exists
    "encoder": ("encoder", "alone"),
    "connector": ("connector",),
    "image tokens": ("lm_best", "lm_last", "lm_first"),
    "answer position": ("position_best", "position_last", "position_first"),
    "answer": ("sighted",),
}
SLOT_OF = {stage: slot for slot, stages in SLOTS.items() for stage in stages}
LANES = {
    "alone": "encoder, alone",
    "encoder": "encoder",
    "connector": "connector",
    **{f"lm_{at}": f"image tokens, {at} block" for at in ("first", "best", "last")},
    **{f"position_{at}": f"answer position, {at} block" for at in ("first", "best", "last")},
    "sighted": "answer",
    "blind": "blind answer",
}
TESTED = {name: f"{LANES[a]} − {LANES[b]}" for name, (a, b) in COMPARISONS.items()}
EVIDENCE_WORDS = {
    "shown_causally": "shown causally",
    "contradicted": "contradicted by interventions",
    "observed_only": "observed only",
}
BAND_NAMES = {
    QUESTION: "Questions about an image",
    SIX: "Comparisons of points and images",
    PATTERN: "MMVP patterns",
}


def skill_name(skill: str) -> str:
    """Return the name of a skill.

    >>> skill_name("semantic_correspondence"), skill_name("odd_one_out")
    ('semantic correspondence', 'odd one out')
    """
    return skill.replace("_", " ")


def between(first: str, second: str) -> str:
    """Return the location of a loss along the model, from the stages before and after.

    >>> between("lm_best", "position_best"), between("lm_first", "lm_last")
    ('between image tokens and answer position', 'inside the language model')
    """
    one, other = SLOT_OF[first], SLOT_OF[second]
    return f"between {one} and {other}" if one != other else "inside the language model"


CONTRADICTED = "contradicted by interventions"


def shown(row: dict[str, Any]) -> str:
    """Return a short text about the results of interventions in a skill, or nothing."""
    if row["evidence"] == REFUTED:
        return CONTRADICTED
    if row["evidence"] != SHOWN or not row["used_at"]:
        return ""
    used, unused = ((row[name] or "").split(", ") for name in ("used_at", "unused_at"))
    only = "only " if len(used) == 1 else ""
    return f"read {only}{located(used)}" + (f", not {located(unused)}" if any(unused) else "")
