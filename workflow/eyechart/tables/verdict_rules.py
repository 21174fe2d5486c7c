"""The rules of the verdict, which the step `decide` applies and the report explains.

docs/verdict.md describes them in words; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from eyechart.tables.minimum_items import ABSENT
from eyechart.tables.verdict import BRAIN, ENCODED, EYES, NERVE, PRIOR, UNDECIDED, USED


@dataclass(frozen=True)
class VerdictThresholds:
    """The thresholds of facts.

    Attributes
    ----------
    alpha : float
        A difference is significant if q is below, and a stage is above its floor if a one-sided
        test at this level says so.
    margin : float
        Share of items. Smaller differences, from chance or between stages, do not count.
    absence : float
        Level of the one-sided test that a stage lacks something, or that responses do not change.
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
        """Return whether there is evidence that a stage does not hold the answer, or barely."""
        return found is not None and found.at_most < found.floor + self.margin

    def above(self, found: Test | None) -> bool:
        """Return whether the first of two stages is better, with significance and by the margin."""
        return found is not None and (
            found.low > 0 and found.q < self.alpha and found.difference >= self.margin
        )

    def below(self, found: Test | None) -> bool:
        """Return whether the first of two stages is worse, with significance and by the margin."""
        return found is not None and (
            found.high < 0 and found.q < self.alpha and found.difference <= -self.margin
        )

    def alike(self, found: Test | None) -> bool:
        """Return whether there is evidence that two stages differ by less than the margin."""
        if found is None:
            return False
        low, high = found.ends or (found.low, found.high)
        return -self.margin < low and high < self.margin


@dataclass(frozen=True)
class Estimate:
    """A share of right answers with its 95 % interval, on n items, and the stage's ``floor``.

    ``surely`` is the lower end of a one-sided interval at the thresholds' ``alpha``, ``at_most``
    the upper end of one at ``absence``.
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
    """A difference of two stages with its 95 % interval, p and (over its skill) q.

    ``ends`` are those of the interval at the thresholds' ``equality``; None: the same as at 95 %.
    """

    __test__ = False  # else pytest collects this class

    difference: float
    low: float
    high: float
    p: float
    q: float
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rule:
    """A class, the facts that need evidence, and those without which it applies."""

    name: str
    verdict: str
    shown: tuple[str, ...]
    unless: tuple[str, ...] = ()


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
    Rule("used", USED, ("answer has it", "answer above blind"), ("answer below language model",)),
    Rule("held and unused", BRAIN, ("language model has it", "answer below language model")),
    Rule(
        "lost on the way",
        NERVE,
        ("encoder has it", "lost before the language model", "what follows lacks it"),
        ("answer has it",),
    ),
    Rule(
        "not encoded", EYES, ("encoder lacks it", "all that follows lacks it"), ("answer has it",)
    ),
    Rule("says the same blind", PRIOR, ("answer the same blind",), ("answer has it",)),
)
NO_RULE = Rule("none", UNDECIDED, ())
