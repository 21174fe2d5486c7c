"""From a skill's numbers to its class, by the rules of ``eyechart.tables.verdict_rules``.

Facts are yes, no or unknown; the first rule decides whose facts are all shown and none of whose
exceptions is shown. What no rule decides is undecided, so the classes exclude each other and one of
them always holds. docs/verdict.md says the same in plain words.
"""

from collections.abc import Callable

from eyechart.tables.verdict_rules import NO_RULE, RULES, Rule, VerdictThresholds
from eyechart.verdict.evidence import Findings

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


def facts(found: Findings, bar: VerdictThresholds) -> dict[str, bool]:
    """Return which facts are shown."""
    return {name: shown(found, bar) for name, shown in FACTS.items()}


def decide(found: Findings, bar: VerdictThresholds) -> Rule:
    """Return the first rule that holds, or :data:`NO_RULE`, which leaves a skill undecided."""
    shown = facts(found, bar)
    for rule in RULES:
        if all(shown[f] for f in rule.shown) and not any(shown[f] for f in rule.unless):
            return rule
    return NO_RULE
