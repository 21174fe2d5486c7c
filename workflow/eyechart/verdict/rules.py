"""The class of a skill, by the rules of ``eyechart.tables.verdict_rules``.

The first rule with evidence for all its facts and for none of its exceptions applies. If no rule
applies, the skill is undecided. docs/verdict.md describes the rules.
"""

from collections.abc import Callable

from eyechart.tables.verdict import OBSERVED, REFUTED, SHOWN, USED
from eyechart.tables.verdict_rules import (
    CAUSES,
    CONTRADICTED,
    LOSSES,
    MOVES,
    NEVER,
    NO_RULE,
    RULES,
    STILL,
    UNSPECIFIC,
    Rule,
    VerdictThresholds,
)
from eyechart.verdict.causal import CausalEvidence
from eyechart.verdict.evidence import Findings
from eyechart.verdict.losses import (
    all_lost_in_connector,
    found_again,
    missing_from_the_start,
    most_lost,
    shown_losses,
)

AFTER = ("connector", "lm_best")  # the stages after the encoder; both must have been measured
WITH_POSITION = (*AFTER, "position_best")

# Whether there is evidence for each fact. Missing evidence does not mean that the opposite is true.
FACTS: dict[str, Callable[[Findings, VerdictThresholds], bool]] = {
    "encoder has it": lambda f, thresholds: thresholds.has(f.estimates.get(f.decisive)),
    "encoder lacks it": lambda f, thresholds: thresholds.lacks(f.estimates.get(f.decisive)),
    "encoder holds little": lambda f, thresholds: (
        f.probed and thresholds.holds_little(f.estimates.get("encoder"))
    ),
    "connector lacks it": lambda f, thresholds: thresholds.lacks(f.estimates.get("connector")),
    "language model received it": lambda f, thresholds: (
        any(thresholds.has(f.estimates.get(stage)) for stage in ("lm_best", "position_best"))
        and not all_lost_in_connector(f, thresholds)
    ),
    "all that follows lacks it": lambda f, thresholds: (
        f.kind == "encoder" or all(thresholds.lacks(f.estimates.get(stage)) for stage in AFTER)
    ),
    "all that follows holds little": lambda f, thresholds: (
        f.kind == "encoder"
        or all(thresholds.holds_little(f.estimates.get(stage)) for stage in WITH_POSITION)
    ),
    "most is found again": lambda f, thresholds: found_again(f),
    "answer has it": lambda f, thresholds: thresholds.has(f.estimates.get("sighted")),
    "answer lacks it": lambda f, thresholds: thresholds.lacks(f.estimates.get("sighted")),
    "blind answer has it": lambda f, thresholds: thresholds.has(f.estimates.get("blind")),
    "answer above blind": lambda f, thresholds: thresholds.above(f.tests.get("sighted_blind")),
    "answer as good blind": lambda f, thresholds: thresholds.alike(f.tests.get("sighted_blind")),
    "answer the same blind": lambda f, thresholds: (
        f.changed is not None and f.changed.at_most < thresholds.margin
    ),
    "no language model": lambda f, thresholds: f.kind == "encoder",
    "features have it": lambda f, thresholds: (
        f.read and thresholds.has(f.estimates.get(f.decisive))
    ),
}


def facts(found: Findings, thresholds: VerdictThresholds) -> dict[str, bool]:
    """Return whether there is evidence for each fact."""
    shown = {name: fact(found, thresholds) for name, fact in FACTS.items()}
    losses, most = shown_losses(found, thresholds), most_lost(found, thresholds)
    for loss in LOSSES:
        shown[loss.name] = loss.name in losses
        shown[f"most is {loss.name}"] = loss.name == most
    shown["lost on the way"] = bool(losses)
    largest = max(losses.values(), default=0.0)
    shown["most is missing from the start"] = (
        not shown["answer has it"] and missing_from_the_start(found) > largest
    )
    return shown


def decide(found: Findings, thresholds: VerdictThresholds) -> Rule:
    """Return the first rule that holds, or :data:`NO_RULE`, which leaves the skill undecided."""
    shown = facts(found, thresholds)
    for rule in RULES:
        if all(shown[f] for f in rule.shown) and not any(shown[f] for f in rule.unless):
            return rule
    return NO_RULE


def _comes_back(found: CausalEvidence, thresholds: VerdictThresholds) -> bool:
    """Return whether the item's own states may restore its right answer."""
    return any(one.test.high >= thresholds.margin for one in found.restored.values())


# Whether interventions show each causal fact
CAUSAL: dict[str, Callable[[CausalEvidence, VerdictThresholds], bool]] = {
    MOVES: lambda f, thresholds: thresholds.above(f.entry.test if f.entry else None),
    STILL: lambda f, thresholds: f.moved is not None and f.moved.most < thresholds.margin,
    UNSPECIFIC: lambda f, thresholds: f.entry is not None and f.entry.test.high < thresholds.margin,
    NEVER: lambda f, thresholds: bool(f.restored) and not _comes_back(f, thresholds),
}


def explain(
    found: CausalEvidence | None, rule: Rule, partly: bool, thresholds: VerdictThresholds
) -> tuple[str, str | None]:
    """Return how interventions support the class of a skill, and the cause they show."""
    shown = {name for name, fact in CAUSAL.items() if found and fact(found, thresholds)}
    cause = next(
        (c.name for c in CAUSES if rule.verdict in c.classes and shown.issuperset(c.shown)), None
    )
    if not partly and any(rule.verdict in CONTRADICTED.get(name, ()) for name in shown):
        return REFUTED, cause
    if cause or (rule.verdict == USED and MOVES in shown):
        return SHOWN, cause
    return OBSERVED, cause
