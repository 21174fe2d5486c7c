"""One sentence per verdict, built from the numbers that its rule looked at."""

from collections.abc import Callable

from eyechart.tables.verdict import NERVE, PATTERN, QUESTION
from eyechart.verdict.evidence import Estimate, Findings, Skill, Test
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
    """Write a share or a difference of two.

    >>> share(0.5), share(-0.25, sign=True)
    ('0.50', '−0.25')
    """
    rounded = round(value, 2) + 0.0
    return f"{rounded:{'+' if sign and rounded else ''}.2f}".replace("-", "−")


def number(found: Estimate) -> str:
    """Write a value with its interval."""
    return f"{share(found.value)} [{share(found.low)}–{share(found.high)}]"


def gap(found: Test) -> str:
    """Write a difference with its interval and q."""
    q = "< 0.0001" if found.q < 1e-4 else f"= {found.q:.2g}"
    ends = f"[{share(found.low, sign=True)} to {share(found.high, sign=True)}]"
    return f"difference {share(found.difference, sign=True)} {ends}, q {q}"


def why(skill: Skill, found: Findings, rule: Rule, bar: VerdictThresholds) -> str:
    """Return the sentence of a skill: what decided, the numbers, n, groups and chance."""
    groups = len(set(skill.groups.tolist()))
    counted = f"n = {len(skill.groups)} in {groups} groups, chance {share(skill.chance)}"
    text = _TEXTS[rule.name](skill, found, bar)
    lost = _lost(skill, found, bar) if rule.verdict != NERVE else ""
    return f"{text}{lost} ({counted}){_missing(skill, found)}."


def _lost(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    """Return what is shown to be lost before the language model, where that is not the class."""
    for after, name in (("connector", "encoder_connector"), ("lm_best", "encoder_lm")):
        if bar.above(found.tests.get(name)):
            at = found.estimates
            return (
                f"; some was lost on the way: {_at(skill, 'encoder')} {share(at['encoder'].value)}"
                f", {_at(skill, after)} {share(at[after].value)}, {gap(found.tests[name])}"
            )
    return ""


def _used(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    held = _held(skill, found)
    text = (
        f"Used: the answer is right on {number(at['sighted'])}, blind on {number(at['blind'])}, "
        f"{gap(tests['sighted_blind'])}"
    )
    return f"{text}; {held}" if held else text


def _brain(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    part = ", which uses a part of it" if bar.above(tests.get("sighted_blind")) else ""
    return (
        f"Held and not used: {_at(skill, 'lm_best')} gives {number(at['lm_best'])}, the answer "
        f"{number(at['sighted'])}{part}, {gap(tests['lm_sighted'])}"
    )


def _nerve(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    lost = "encoder_connector" if bar.above(tests.get("encoder_connector")) else "encoder_lm"
    after = lost.replace("encoder_lm", "lm_best").replace("encoder_connector", "connector")
    text = (
        f"Lost on the way: {_at(skill, 'encoder')} gives {number(at['encoder'])}, "
        f"{_at(skill, after)} {number(at[after])}, {gap(tests[lost])}"
    )
    if after == "connector" and "lm_best" in at:
        text += f"; the language model {number(at['lm_best'])}"
    return text + (f"; the answer {number(at['sighted'])}" if "sighted" in at else "")


def _eyes(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at = found.estimates
    text = (
        f"Not encoded: {_at(skill, found.decisive)} gives {number(at[found.decisive])}, an "
        f"interval that ends less than {share(bar.margin)} above chance"
    )
    if found.decisive == "encoder" and "alone" in at:
        text += f" (of the pictures alone {number(at['alone'])})"
    return text + (f"; the answer is right on {number(at['sighted'])}" if "sighted" in at else "")


def _without_looking(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at, tests = found.estimates, found.tests
    held = _held(skill, found)
    text = (
        f"Right without looking: {number(at['sighted'])} with the picture, {number(at['blind'])} "
        f"blind, {gap(tests['sighted_blind'])}, within ±{share(bar.margin)}"
    )
    return f"{text}; {held}" if held else text


def _same(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at, changed = found.estimates, found.changed
    assert changed is not None  # the rule looked at it
    return (
        f"It says the same without the picture: {number(changed)} of its answers change, and it is "
        f"right on {number(at['sighted'])}"
    )


def _encoded(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at = found.estimates[found.decisive]
    return (
        f"Encoded: {_at(skill, found.decisive)} gives {number(at)}; there is no language model "
        "to use it"
    )


def _undecided(skill: Skill, found: Findings, bar: VerdictThresholds) -> str:
    at = found.estimates
    stages = [s for s in (found.decisive, "connector", "lm_best", "sighted") if s in at]
    parts = [f"{_at(skill, s)} {number(at[s])} {_standing(at[s], bar)}" for s in stages]
    if "blind" in at:
        parts.append(f"blind {number(at['blind'])}")
    for name, first in (("sighted_blind", "sighted"), ("lm_sighted", "lm_best")):
        if name in found.tests and bar.has(at[first]):
            parts.append(f"{_PAIRS[name]}: {gap(found.tests[name])}")
    lost = found.tests.get("encoder_sighted")
    read = {"connector", "lm_best"} & set(at)
    if bar.above(lost) and not read:
        return (
            f"Lost after the encoder, and nothing tells where: {'; '.join(parts)}, "
            f"{gap(lost)}"  # type: ignore[arg-type]
        )
    return f"Undecided: {'; '.join(parts)}"


_TEXTS: dict[str, Callable[[Skill, Findings, VerdictThresholds], str]] = {
    "right without looking": _without_looking,
    "used": _used,
    "held and unused": _brain,
    "lost on the way": _nerve,
    "not encoded": _eyes,
    "says the same blind": _same,
    "nobody to use it": _encoded,
    "none": _undecided,
}


def _at(skill: Skill, stage: str) -> str:
    """Name a stage and its address."""
    address = skill.stages[stage].address
    return f"{NAMES[stage]} at {address}" if address not in ("", "connector") else NAMES[stage]


def _held(skill: Skill, found: Findings) -> str:
    """Name what encoder and language model hold, where they were read."""
    stages = [s for s in (found.decisive, "lm_best") if s in found.estimates]
    return ", ".join(f"{_at(skill, s)} gives {number(found.estimates[s])}" for s in stages)


def _standing(found: Estimate, bar: VerdictThresholds) -> str:
    if bar.has(found):
        return "(has it)"
    return "(lacks it)" if bar.lacks(found) else "(open)"


def _missing(skill: Skill, found: Findings) -> str:
    """Return what could not be looked at, and whose items are others."""
    stage = skill.stages.get("encoder")
    if stage is not None and stage.groups is not None:
        return f"; the encoder was asked about {len(stage.right)} other items of this pattern"
    if found.kind == "encoder":
        return ""
    if skill.band == QUESTION:
        return "; the encoder never saw the question, so eyes and nerve cannot be told"
    if skill.band == PATTERN and "lm_best" not in skill.stages:
        return "; no address was read, so nerve and brain cannot be told"
    if "sighted" not in skill.stages:
        return "; it was not asked"
    return "" if "blind" in skill.stages else "; it was not asked blind"
