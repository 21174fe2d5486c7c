"""The class of a skill, by the rules of ``eyechart.tables.verdict_rules``.

There is evidence for a fact, or there is not. The first rule with evidence for all its facts and
for none of its exceptions decides. A skill that no rule decides is undecided, so every skill has
exactly one class. docs/verdict.md describes the rules.
"""

from collections.abc import Callable

from eyechart.tables.verdict_rules import NO_RULE, RULES, Rule, VerdictThresholds
from eyechart.verdict.evidence import Findings

# Whether there is evidence for each fact. No evidence does not mean that the opposite is true.
FACTS: dict[str, Callable[[Findings, VerdictThresholds], bool]] = {
    "encoder has it": lambda f, thresholds: thresholds.has(f.estimates.get(f.decisive)),
    "encoder lacks it": lambda f, thresholds: thresholds.lacks(f.estimates.get(f.decisive)),
    "lost before the language model": lambda f, thresholds: (
        thresholds.above(f.tests.get("encoder_connector"))
        or thresholds.above(f.tests.get("encoder_lm"))
    ),
    "language model has it": lambda f, thresholds: thresholds.has(f.estimates.get("lm_best")),
    "all that follows lacks it": lambda f, thresholds: (
        f.kind == "encoder"
        or all(thresholds.lacks(f.estimates.get(stage)) for stage in ("connector", "lm_best"))
    ),
    "what follows lacks it": lambda f, thresholds: thresholds.lacks(
        f.estimates.get("lm_best", f.estimates.get("connector"))
    ),
    "answer has it": lambda f, thresholds: thresholds.has(f.estimates.get("sighted")),
    "blind answer has it": lambda f, thresholds: thresholds.has(f.estimates.get("blind")),
    "answer below language model": lambda f, thresholds: thresholds.above(
        f.tests.get("lm_sighted")
    ),
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
    """Return which facts there is evidence for."""
    return {name: shown(found, thresholds) for name, shown in FACTS.items()}


def decide(found: Findings, thresholds: VerdictThresholds) -> Rule:
    """Return the first rule that holds, or :data:`NO_RULE`, which leaves a skill undecided."""
    shown = facts(found, thresholds)
    for rule in RULES:
        if all(shown[f] for f in rule.shown) and not any(shown[f] for f in rule.unless):
            return rule
    return NO_RULE
