"""The rules of the verdict, as the step that decides applies them and the report explains them.

docs/verdict.md says the same in words; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

from eyechart.tables.verdict import BRAIN, ENCODED, EYES, NERVE, PRIOR, UNDECIDED, USED


@dataclass(frozen=True)
class VerdictThresholds:
    """What a fact must pass.

    Attributes
    ----------
    alpha : float
        A difference is shown where q is below.
    margin : float
        Share of items. What is less above chance, or less apart, is too little to count.
    """

    alpha: float
    margin: float

    def has(self, found: Estimate | None) -> bool:
        """Return whether it is shown that a stage holds the answer."""
        return found is not None and (
            found.low > found.floor and found.value >= found.floor + self.margin
        )

    def lacks(self, found: Estimate | None) -> bool:
        """Return whether it is shown that a stage does not hold the answer, or hardly."""
        return found is not None and found.high < found.floor + self.margin

    def above(self, found: Test | None) -> bool:
        """Return whether the first of two stages is shown to be better, by enough to count."""
        return found is not None and (
            found.low > 0 and found.q < self.alpha and found.difference >= self.margin
        )

    def below(self, found: Test | None) -> bool:
        """Return whether the first of two stages is shown to be worse, by enough to count."""
        return found is not None and (
            found.high < 0 and found.q < self.alpha and found.difference <= -self.margin
        )

    def alike(self, found: Test | None) -> bool:
        """Return whether it is shown that two stages differ by less than the margin."""
        return found is not None and -self.margin < found.low and found.high < self.margin


@dataclass(frozen=True)
class Estimate:
    """A share of right answers with its 95 % interval, on n items; ``floor`` as of the stage."""

    value: float
    low: float
    high: float
    n: int
    floor: float


@dataclass(frozen=True)
class Test:
    """A difference of two stages with its 95 % interval, p and (over the whole table) q."""

    __test__ = False  # pytest takes classes of this name for its own

    difference: float
    low: float
    high: float
    p: float
    q: float


@dataclass(frozen=True)
class Rule:
    """A class, the facts that must be shown, and those that must not be."""

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
    Rule("right without looking", PRIOR, ("answer has it", "answer as good blind")),
    Rule(
        "used",
        USED,
        ("answer has it", "answer above blind"),
        ("answer below language model",),
    ),
    Rule("held and unused", BRAIN, ("language model has it", "answer below language model")),
    Rule(
        "lost on the way",
        NERVE,
        ("encoder has it", "lost before the language model", "what follows lacks it"),
        ("answer has it",),
    ),
    Rule(
        "not encoded",
        EYES,
        ("encoder lacks it",),
        ("answer has it", "language model beats the encoder"),
    ),
    Rule("says the same blind", PRIOR, ("answer the same blind",), ("answer has it",)),
)
NO_RULE = Rule("none", UNDECIDED, ())
