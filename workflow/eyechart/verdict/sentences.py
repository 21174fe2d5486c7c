"""One sentence per verdict, with the numbers that its rule uses."""

from collections.abc import Callable

from eyechart.core.address import CONNECTOR
from eyechart.tables.verdict import (
    COMPARISONS,
    ENCODED,
    IMAGE_TOKENS,
    LOST_IN_CONNECTOR,
    LOST_IN_LM,
    NOT_ENCODED,
    NOT_RETRIEVED,
    NOT_USED,
    NOT_VERBALISED,
    PATTERN,
    POSITION,
    PRIOR,
    QUESTION,
    UNDECIDED,
    USED,
)
from eyechart.verdict.evidence import Estimate, Findings, Skill, Test, comparable
from eyechart.verdict.losses import WAY, largest_drop, loss_of
from eyechart.verdict.rules import Rule, VerdictThresholds

NAMES = {
    "alone": "the encoder",
    "encoder": "the encoder",
    "connector": "the connector",
    **dict.fromkeys(IMAGE_TOKENS, "the language model's image tokens"),
    "lm_last": "its last image tokens",
    **dict.fromkeys(POSITION, "the answer position"),
    "sighted": "the answer",
    "blind": "the blind answer",
}
TITLES = {
    LOST_IN_CONNECTOR: "Lost in the connector",
    LOST_IN_LM: "Lost in the language model",
    NOT_RETRIEVED: "Not retrieved",
    NOT_VERBALISED: "Not verbalised",
    NOT_USED: "Held and not used",
}


def share(value: float, sign: bool = False) -> str:
    """Return a share, or the difference of two shares, as text.

    >>> share(0.5), share(-0.25, sign=True)
    ('0.50', '−0.25')
    """
    rounded = round(value, 2) + 0.0
    return f"{rounded:{'+' if sign and rounded else ''}.2f}".replace("-", "−")


def number(found: Estimate) -> str:
    """Return a value with its interval as text."""
    return f"{share(found.value)} [{share(found.low)}–{share(found.high)}]"


def gap(found: Test) -> str:
    """Return a difference with its interval and q as text."""
    q = "< 0.0001" if found.q < 1e-4 else f"= {found.q:.2g}"
    ends = f"[{share(found.low, sign=True)} to {share(found.high, sign=True)}]"
    return f"difference {share(found.difference, sign=True)} {ends}, q {q}"


def why(
    skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds, needed: int | None
) -> str:
    """Return the sentence about a skill: the class, the numbers, n, groups and chance."""
    groups = len(set(skill.groups.tolist()))
    counted = f"n = {len(skill.groups)} in {groups} groups, chance {share(skill.chance)}"
    if skill.looks:
        counted += (
            f"; {skill.answered} of {skill.looks[-1]} items answered, look {skill.look + 1} "
            f"of {len(skill.looks)}"
        )
    text = _loss if rule.verdict in TITLES else _TEXTS[rule.verdict]
    outlook = _outlook(needed) if rule.verdict == UNDECIDED else ""
    said = text(skill, found, rule, thresholds)
    return f"{said} ({counted}){_missing(skill, found)}{_apart(skill)}{outlook}."


def _outlook(needed: int | None) -> str:
    if needed is None:
        return (
            "; at these accuracies no number of items decides it, because differences are about as "
            "large as the margin or smaller"
        )
    return f"; about {needed} items would decide it at these accuracies"


def _used(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    parts = [
        f"Used: the answer is right on {number(at['sighted'])}, blind on {number(at['blind'])}, "
        f"{gap(tests['sighted_blind'])}",
        *_held(skill, found),
    ]
    drop = largest_drop(found)
    if drop:
        parts.append(
            f"it loses most between {NAMES[drop[0]]} and {NAMES[drop[1]]} ({share(drop[2])})"
        )
    return "; ".join(parts)


def _loss(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    loss = loss_of(found, rule, thresholds)
    first, second = COMPARISONS[loss.test]
    part = " in part" if thresholds.above(tests.get("sighted_blind")) else ""
    text = (
        f"{TITLES[rule.verdict]}{part}: {_at(skill, first)} {number(at[first])}, "
        f"{_at(skill, second)} {number(at[second])}, {gap(tests[loss.test])}"
    )
    others = [s for s in WAY if s in at and s not in (first, second)]
    return "; ".join([text, *(f"{_at(skill, s)} {number(at[s])}" for s in others)])


def _eyes(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> str:
    at, stage = found.estimates, found.decisive
    own = at[stage]
    shown = (
        f"less than {share(thresholds.margin)} above chance"
        if thresholds.lacks(own)
        else "closer to chance than to 1"
    )
    text = (
        f"Not encoded: {_at(skill, stage)} gives {number(own)}, shown to be {shown} (one-sided "
        f"test at {100 * thresholds.absence:.2g}%)"
    )
    if stage == "encoder" and "alone" in at:
        text += f" (from single images {number(at['alone'])})"
    others = [s for s in WAY if s in at and s != stage]
    return "; ".join([text, *(f"{_at(skill, s)} {number(at[s])}" for s in others)])


def _prior(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> str:
    at, tests, changed = found.estimates, found.tests, found.changed
    if rule.name == "says the same blind":
        assert changed is not None, "the rule used it"
        text = (
            f"The same without the image: {number(changed)} of its answers change, and it is "
            f"right on {number(at['sighted'])}"
        )
    else:
        text = (
            f"Right without the image: {number(at['sighted'])} with the image, "
            f"{number(at['blind'])} blind, {gap(tests['sighted_blind'])}, within "
            f"±{share(thresholds.margin)}"
        )
    return "; ".join([text, *_held(skill, found)])


def _encoded(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> str:
    at = found.estimates[found.decisive]
    return (
        f"Encoded: {_at(skill, found.decisive)} gives {number(at)}; there is no language model "
        "to use it"
    )


def _undecided(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> str:
    at = found.estimates
    stages = [s for s in dict.fromkeys((found.decisive, *WAY)) if s in at]
    parts = [f"{_at(skill, s)} {number(at[s])} {_state(at[s], thresholds)}" for s in stages]
    if "blind" in at:
        parts.append(f"blind {number(at['blind'])}")
    if "sighted_blind" in found.tests:
        parts.append(f"the answer against blind: {gap(found.tests['sighted_blind'])}")
    lost = found.tests.get("encoder_sighted")
    read = {"connector", "lm_best"} & set(at)
    if thresholds.above(lost) and not read:
        return (
            f"Lost after the encoder, but it is unknown where: {'; '.join(parts)}, "
            f"{gap(lost)}"  # type: ignore[arg-type]
        )
    return f"Undecided: {'; '.join(parts)}"


_TEXTS: dict[str, Callable[[Skill, Findings, Rule, VerdictThresholds], str]] = {
    USED: _used,
    NOT_ENCODED: _eyes,
    PRIOR: _prior,
    ENCODED: _encoded,
    UNDECIDED: _undecided,
}


def _at(skill: Skill, stage: str) -> str:
    """Return the name of a stage with its address."""
    address = skill.stages[stage].address
    plain = not address or address.startswith(CONNECTOR)
    return NAMES[stage] if plain else f"{NAMES[stage]} at {address}"


def _held(skill: Skill, found: Findings) -> list[str]:
    """Return the text about the values of the stages that were read before the answer."""
    stages = (found.decisive, "connector", "lm_best", "position_best")
    return [f"{_at(skill, s)} {number(found.estimates[s])}" for s in stages if s in found.estimates]


def _state(found: Estimate, thresholds: VerdictThresholds) -> str:
    if thresholds.has(found):
        return "(has it)"
    return "(lacks it)" if thresholds.lacks(found) else "(undecided)"


def _apart(skill: Skill) -> str:
    """Return the text about stages whose difference would be due to the methods."""
    there = {"encoder", "lm_best"} <= set(skill.stages)
    if not there or comparable(skill.stages, "encoder", "lm_best"):
        return ""
    return (
        "; the encoder was read without training and the language model with a trained probe, so "
        "the two are not compared"
    )


def _missing(skill: Skill, found: Findings) -> str:
    """Return the text about missing stages and stages with different items."""
    stage = skill.stages.get("encoder")
    if stage is not None and stage.groups is not None:
        return f"; the encoder answered {len(stage.right)} other items of this pattern"
    if found.kind == "encoder":
        return ""
    if "sighted" not in skill.stages:
        return "; it has no responses"
    return _unread(skill) or ("" if "blind" in skill.stages else "; it has no blind responses")


def _unread(skill: Skill) -> str:
    """Return the text about stages before the answer that were not read."""
    if skill.unknown:
        return f"; encoder and connector are unknown: {skill.unknown.rstrip('.')}"
    if skill.band == QUESTION and "encoder" not in skill.stages:
        return (
            "; encoder and connector are unknown: the items have no region "
            "(extraction.spans: referent_center)"
        )
    if skill.band == PATTERN and "lm_best" not in skill.stages:
        return "; no address was read, so it is unknown where it is lost"
    return ""
