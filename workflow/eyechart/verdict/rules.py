"""The rules: from a skill's numbers to its class. This is the only place where they stand.

Facts are yes, no or unknown; the first rule decides whose facts are all shown and none of whose
exceptions is shown. What no rule decides is undecided, so the classes exclude each other and one of
them always holds. docs/verdict.md says the same in plain words.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eyechart.tables.verdict import BRAIN, ENCODED, EYES, NERVE, PRIOR, UNDECIDED, USED
from eyechart.verdict.evidence import Estimate, Findings, Test


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
        """Whether it is shown that a stage holds the answer."""
        return found is not None and (
            found.low > found.floor and found.value >= found.floor + self.margin
        )

    def lacks(self, found: Estimate | None) -> bool:
        """Whether it is shown that a stage does not hold the answer, or hardly."""
        return found is not None and found.high < found.floor + self.margin

    def above(self, found: Test | None) -> bool:
        """Whether the first of two stages is shown to be better, by enough to count."""
        return found is not None and (
            found.low > 0 and found.q < self.alpha and found.difference >= self.margin
        )

    def below(self, found: Test | None) -> bool:
        """Whether the first of two stages is shown to be worse, by enough to count."""
        return found is not None and (
            found.high < 0 and found.q < self.alpha and found.difference <= -self.margin
        )

    def alike(self, found: Test | None) -> bool:
        """Whether it is shown that two stages differ by less than the margin."""
        return found is not None and -self.margin < found.low and found.high < self.margin


# Whether each fact is shown. "Not shown" covers the opposite and the unknown alike.
FACTS: dict[str, Callable[[Findings, VerdictThresholds], bool]] = {
    "encoder has it": lambda f, bar: bar.has(f.estimates.get(f.decisive)),
    "encoder lacks it": lambda f, bar: bar.lacks(f.estimates.get(f.decisive)),
    "lost before the language model": lambda f, bar: (
        bar.above(f.tests.get("encoder_connector")) or bar.above(f.tests.get("encoder_lm"))
    ),
    "language model beats the encoder": lambda f, bar: bar.below(f.tests.get("encoder_lm")),
    "language model has it": lambda f, bar: bar.has(f.estimates.get("lm_best")),
    "what follows lacks it": lambda f, bar: bar.lacks(
        f.estimates.get("lm_best", f.estimates.get("connector"))
    ),
    "answer has it": lambda f, bar: bar.has(f.estimates.get("sighted")),
    "answer below language model": lambda f, bar: bar.above(f.tests.get("lm_sighted")),
    "answer above blind": lambda f, bar: bar.above(f.tests.get("sighted_blind")),
    "answer as good blind": lambda f, bar: bar.alike(f.tests.get("sighted_blind")),
    "answer the same blind": lambda f, bar: f.changed is not None and f.changed.high < bar.margin,
    "no language model": lambda f, bar: f.kind == "encoder",
    "features have it": lambda f, bar: f.read and bar.has(f.estimates.get(f.decisive)),
}


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


def facts(found: Findings, bar: VerdictThresholds) -> dict[str, bool]:
    """Give which facts are shown."""
    return {name: shown(found, bar) for name, shown in FACTS.items()}


def decide(found: Findings, bar: VerdictThresholds) -> Rule:
    """Give the first rule that holds, or :data:`NO_RULE`, which leaves a skill undecided."""
    shown = facts(found, bar)
    for rule in RULES:
        if all(shown[f] for f in rule.shown) and not any(shown[f] for f in rule.unless):
            return rule
    return NO_RULE
