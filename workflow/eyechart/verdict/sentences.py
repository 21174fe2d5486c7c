"""One sentence per verdict, with the numbers that its rule used."""

from collections.abc import Callable

from eyechart.tables.minimum_items import fewest_items
from eyechart.tables.verdict import NERVE, PATTERN, QUESTION, UNDECIDED
from eyechart.verdict.evidence import Estimate, Findings, Skill, Test, comparable
from eyechart.verdict.rules import Rule, VerdictThresholds

NAMES = {
    "alone": "the encoder",
    "encoder": "the encoder",
    "connector": "the connector",
    "lm_best": "the language model",
    "sighted": "the answer",
    "blind": "the blind answer",
}


_PAIRS = {
    "sighted_blind": "the answer against blind",
    "lm_sighted": "the language model against the answer",
}


def share(value: float, sign: bool = False) -> str:
    """Return a share, or a difference of two, as text.

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


def why(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> str:
    """Return the sentence of a skill: the class, the numbers, n, groups and chance."""
    groups = len(set(skill.groups.tolist()))
    counted = f"n = {len(skill.groups)} in {groups} groups, chance {share(skill.chance)}"
    text = _TEXTS[rule.name](skill, found, thresholds)
    needed = fewest_items(skill.chance, thresholds.margin)
    short = rule.verdict == UNDECIDED and len(skill.groups) < needed
    few = f"; to show that a stage lacks it takes at least {needed} items" if short else ""
    lost = _lost(skill, found, thresholds) if rule.verdict != NERVE else ""
    if skill.looks:
        counted += (
            f"; {skill.answered} of {skill.looks[-1]} items answered, look {skill.look + 1} "
            f"of {len(skill.looks)}"
        )
    return f"{text}{lost} ({counted}){_missing(skill, found)}{_apart(skill)}{few}."


def _lost(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    """Return the text on a loss before the language model, if that is not the class."""
    for after, name in (("connector", "encoder_connector"), ("lm_best", "encoder_lm")):
        if thresholds.above(found.tests.get(name)):
            at = found.estimates
            return (
                f"; some was lost on the way: {_at(skill, 'encoder')} {share(at['encoder'].value)}"
                f", {_at(skill, after)} {share(at[after].value)}, {gap(found.tests[name])}"
            )
    return ""


def _used(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    held = _held(skill, found)
    text = (
        f"Used: the answer is right on {number(at['sighted'])}, blind on {number(at['blind'])}, "
        f"{gap(tests['sighted_blind'])}"
    )
    return f"{text}; {held}" if held else text


def _brain(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    part = ", which uses a part of it" if thresholds.above(tests.get("sighted_blind")) else ""
    return (
        f"Held and not used: {_at(skill, 'lm_best')} gives {number(at['lm_best'])}, the answer "
        f"{number(at['sighted'])}{part}, {gap(tests['lm_sighted'])}"
    )


def _nerve(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    lost = "encoder_connector" if thresholds.above(tests.get("encoder_connector")) else "encoder_lm"
    after = lost.replace("encoder_lm", "lm_best").replace("encoder_connector", "connector")
    text = (
        f"Lost on the way: {_at(skill, 'encoder')} gives {number(at['encoder'])}, "
        f"{_at(skill, after)} {number(at[after])}, {gap(tests[lost])}"
    )
    if after == "connector" and "lm_best" in at:
        text += f"; the language model {number(at['lm_best'])}"
    return text + (f"; the answer {number(at['sighted'])}" if "sighted" in at else "")


def _eyes(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at = found.estimates
    text = (
        f"Not encoded: {_at(skill, found.decisive)} gives {number(at[found.decisive])}, shown "
        f"to be less than {share(thresholds.margin)} above chance (one-sided test at "
        f"{100 * thresholds.absence:.2g} %)"
    )
    if found.decisive == "encoder" and "alone" in at:
        text += f" (from single images {number(at['alone'])})"
    return text + (f"; the answer is right on {number(at['sighted'])}" if "sighted" in at else "")


def _prior(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    held = _held(skill, found)
    text = (
        f"Right without the image: {number(at['sighted'])} with the image, {number(at['blind'])} "
        f"blind, {gap(tests['sighted_blind'])}, within ±{share(thresholds.margin)}"
    )
    return f"{text}; {held}" if held else text


def _unchanged(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at, changed = found.estimates, found.changed
    assert changed is not None, "the rule used it"
    return (
        f"The same without the image: {number(changed)} of its answers change, and it is "
        f"right on {number(at['sighted'])}"
    )


def _encoded(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at = found.estimates[found.decisive]
    return (
        f"Encoded: {_at(skill, found.decisive)} gives {number(at)}; there is no language model "
        "to use it"
    )


def _undecided(skill: Skill, found: Findings, thresholds: VerdictThresholds) -> str:
    at = found.estimates
    stages = [s for s in (found.decisive, "connector", "lm_best", "sighted") if s in at]
    parts = [f"{_at(skill, s)} {number(at[s])} {_state(at[s], thresholds)}" for s in stages]
    if "blind" in at:
        parts.append(f"blind {number(at['blind'])}")
    for name, first in (("sighted_blind", "sighted"), ("lm_sighted", "lm_best")):
        if name in found.tests and thresholds.has(at[first]):
            parts.append(f"{_PAIRS[name]}: {gap(found.tests[name])}")
    lost = found.tests.get("encoder_sighted")
    read = {"connector", "lm_best"} & set(at)
    if thresholds.above(lost) and not read:
        return (
            f"Lost after the encoder, but it is unknown where: {'; '.join(parts)}, "
            f"{gap(lost)}"  # type: ignore[arg-type]
        )
    return f"Undecided: {'; '.join(parts)}"


_TEXTS: dict[str, Callable[[Skill, Findings, VerdictThresholds], str]] = {
    "right without looking": _prior,
    "used": _used,
    "held and unused": _brain,
    "lost on the way": _nerve,
    "not encoded": _eyes,
    "says the same blind": _unchanged,
    "nobody to use it": _encoded,
    "none": _undecided,
}


def _at(skill: Skill, stage: str) -> str:
    """Return the name of a stage with its address."""
    address = skill.stages[stage].address
    return f"{NAMES[stage]} at {address}" if address not in ("", "connector") else NAMES[stage]


def _held(skill: Skill, found: Findings) -> str:
    """Return the values of encoder and language model, if they were read out."""
    stages = [s for s in (found.decisive, "lm_best") if s in found.estimates]
    return ", ".join(f"{_at(skill, s)} gives {number(found.estimates[s])}" for s in stages)


def _state(found: Estimate, thresholds: VerdictThresholds) -> str:
    if thresholds.has(found):
        return "(has it)"
    return "(lacks it)" if thresholds.lacks(found) else "(open)"


def _apart(skill: Skill) -> str:
    """Return the text on stages whose difference would be one of methods."""
    there = {"encoder", "lm_best"} <= set(skill.stages)
    if not there or comparable(skill.stages, "encoder", "lm_best"):
        return ""
    return (
        "; the encoder was read without training and the language model by a trained probe, so the "
        "two are not compared"
    )


def _missing(skill: Skill, found: Findings) -> str:
    """Return the text on missing stages, and on stages with other items."""
    stage = skill.stages.get("encoder")
    if stage is not None and stage.groups is not None:
        return f"; the encoder answered {len(stage.right)} other items of this pattern"
    if found.kind == "encoder":
        return ""
    if skill.band == QUESTION:
        return "; the encoder never saw the question, so eyes and nerve cannot be distinguished"
    if skill.band == PATTERN and "lm_best" not in skill.stages:
        return "; no address was read out, so nerve and brain cannot be distinguished"
    if "sighted" not in skill.stages:
        return "; it has no responses"
    return "" if "blind" in skill.stages else "; it has no blind responses"
