"""The rules of the verdict, which the step `decide` applies and the report explains.

docs/verdict.md describes them in words; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from eyechart.tables.minimum_items import ABSENT
from eyechart.tables.verdict import (
    ENCODED,
    LOST_IN_CONNECTOR,
    LOST_IN_LM,
    NOT_ENCODED,
    NOT_RETRIEVED,
    NOT_USED,
    NOT_VERBALISED,
    PRIOR,
    UNDECIDED,
    USED,
)


@dataclass(frozen=True)
class VerdictThresholds:
    """The thresholds for facts.

    Attributes
    ----------
    alpha : float
        A difference is significant if q is below this. A stage is above its floor if a one-sided
        test at this level is significant.
    margin : float
        Share of items. Smaller differences, from chance or between stages, do not count.
    absence : float
        Level of the one-sided tests that a stage lacks a skill, or that responses do not change.
    equality : float
        Level of each of the two tests that a difference is within the margin.
    """

    alpha: float
    margin: float
    absence: float = ABSENT
    equality: float = 0.025

    def has(self, found: Estimate | None) -> bool:
        """Return whether there is evidence that a stage holds the answer."""
        return found is not None and (
            found.surely > found.floor and found.value >= found.floor + self.margin
        )

    def lacks(self, found: Estimate | None) -> bool:
        """Return whether there is evidence that a stage holds the answer barely or not at all."""
        return found is not None and found.at_most < found.floor + self.margin

    def holds_little(self, found: Estimate | None) -> bool:
        """Return whether there is evidence that a stage is closer to its floor than to 1."""
        return found is not None and found.at_most < (1 + found.floor) / 2

    def above(self, found: Test | None) -> bool:
        """Return whether the first stage is significantly better, by at least the margin."""
        return found is not None and (
            found.low > 0 and found.q < self.alpha and found.difference >= self.margin
        )

    def alike(self, found: Test | None) -> bool:
        """Return whether there is evidence that two stages differ by less than the margin."""
        if found is None:
            return False
        low, high = found.ends or (found.low, found.high)
        return -self.margin < low and high < self.margin


@dataclass(frozen=True)
class Estimate:
    """A share of right answers on n items, with its 95% interval and the stage's ``floor``.

    ``surely`` is the lower end of a one-sided interval at the thresholds' ``alpha``; ``at_most`` is
    the upper end of a one-sided interval at ``absence``.
    """

    value: float
    low: float
    high: float
    n: int
    floor: float
    surely: float
    at_most: float


@dataclass(frozen=True)
class Test:
    """A difference of two stages with its 95% interval, p and (over its skill) q.

    ``ends`` are the ends of the interval at the thresholds' ``equality``; None means the 95% ends.
    """

    __test__ = False  # keeps pytest from collecting this class

    difference: float
    low: float
    high: float
    p: float
    q: float
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rule:
    """A class, the facts it requires, and the facts that rule it out."""

    name: str
    verdict: str
    shown: tuple[str, ...]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loss:
    """A step between stages at which information can be lost, and the class for that loss.

    Information is lost there if the first stage has it and ``test`` shows that this stage is above
    the second by the margin, and above each measured stage of ``later``.
    """

    name: str
    verdict: str
    test: str
    later: tuple[str, ...] = ()


LOSSES = (
    Loss(
        "lost in the connector",
        LOST_IN_CONNECTOR,
        "encoder_connector",
        ("lm_best", "position_best", "sighted"),
    ),
    Loss("lost on entering", LOST_IN_LM, "connector_lm", ("position_best", "sighted")),
    Loss("lost from block to block", LOST_IN_LM, "lm_kept", ("position_best", "sighted")),
    Loss("not retrieved", NOT_RETRIEVED, "lm_position", ("sighted",)),
    Loss("not verbalised", NOT_VERBALISED, "position_sighted"),
    Loss("held and not used", NOT_USED, "lm_sighted"),
)

RULES = (
    Rule(
        "nobody to use it",
        ENCODED,
        ("no language model", "features have it"),
        ("answer above blind",),
    ),
    Rule(
        "right without looking",
        PRIOR,
        ("answer has it", "blind answer has it", "answer as good blind"),
    ),
    Rule("used", USED, ("answer has it", "answer above blind"), ("lost on the way",)),
    Rule(
        "never looked at",
        NOT_RETRIEVED,
        ("answer the same blind", "not retrieved"),
        ("answer has it", "lost in the connector"),
    ),
    Rule(
        "says the same blind",
        PRIOR,
        ("answer the same blind",),
        ("answer has it", "language model received it"),
    ),
    Rule(
        "all lost in the connector",
        LOST_IN_CONNECTOR,
        ("encoder has it", "lost in the connector", "connector lacks it"),
        ("most is found again",),
    ),
    Rule(
        "not encoded",
        NOT_ENCODED,
        ("encoder lacks it", "all that follows lacks it"),
        ("answer has it", "language model received it"),
    ),
    Rule(
        "hardly encoded",
        NOT_ENCODED,
        (
            *("encoder holds little", "all that follows holds little", "answer lacks it"),
            "most is missing from the start",
        ),
    ),
    *(
        Rule(
            loss.name, loss.verdict, (f"most is {loss.name}",), ("most is missing from the start",)
        )
        for loss in LOSSES
    ),
)  # fmt: skip
NO_RULE = Rule("none", UNDECIDED, ())


@dataclass(frozen=True)
class Cause:
    """A reason why answers fail, the classes it explains, and the causal facts that show it."""

    name: str
    classes: tuple[str, ...]
    shown: tuple[str, ...]


MOVES, STILL, UNSPECIFIC, NEVER = CAUSAL_FACTS = (
    "image moves the answer",
    "no answer changes",
    "other images move it as often",
    "right answer never comes back",
)
BRAIN = (LOST_IN_LM, NOT_RETRIEVED, NOT_VERBALISED, NOT_USED)
UNMOVED = (PRIOR, NOT_ENCODED, LOST_IN_CONNECTOR, LOST_IN_LM, NOT_RETRIEVED, NOT_USED)
CAUSES = (
    Cause("inert", UNMOVED, (STILL,)),
    Cause("unspecific", UNMOVED, (UNSPECIFIC,)),
    Cause("said_otherwise", (NOT_VERBALISED,), (MOVES, NEVER)),
    Cause("misread", BRAIN, (MOVES,)),
)
# Facts that contradict a class; a class that holds partly is not contradicted by the use of its
# answer
CONTRADICTED = {
    MOVES: (PRIOR, NOT_ENCODED, LOST_IN_CONNECTOR),
    STILL: (USED, NOT_VERBALISED),
    UNSPECIFIC: (USED, NOT_VERBALISED),
}
