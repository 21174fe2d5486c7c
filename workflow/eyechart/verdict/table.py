"""Rows of the verdict tables: tests corrected by skill, classes, sentences."""

from collections.abc import Sequence

import numpy as np

from eyechart.tables.verdict import BANDS, COMPARISONS, STAGES, Row
from eyechart.verdict.evidence import Findings, Skill, compare_all, measure, thresholds_of
from eyechart.verdict.rules import NO_RULE, Rule, VerdictThresholds, decide
from eyechart.verdict.sentences import why


def apply_rules(
    found: Sequence[Skill], kind: str, thresholds: VerdictThresholds
) -> list[tuple[Skill, Findings, Rule]]:
    """Return the findings and the rule of every skill.

    At a look a class is given if it is shown at the levels that are spent there and if it is also
    what the whole levels give, which may show an exception or a class that comes before it.

    Parameters
    ----------
    found : sequence of Skill
        All skills of one model.
    kind : str
        ``vlm`` or ``encoder``.
    thresholds : VerdictThresholds
    """
    decided = []
    for skill in found:
        tests, own = compare_all(skill), thresholds_of(skill, thresholds)
        here = measure(skill, kind, tests, own)
        rule = decide(here, own)
        if own != thresholds:
            whole = decide(measure(skill, kind, tests, thresholds), thresholds)
            rule = rule if rule.verdict == whole.verdict else NO_RULE
        decided.append((skill, here, rule))
    return decided


def rows(
    found: Sequence[Skill],
    model: str,
    kind: str,
    contains: str | None,
    thresholds: VerdictThresholds,
) -> tuple[list[Row], list[Row], list[Row]]:
    """Return the rows of ``eyechart.tables.verdict``: VALUES, SKILLS and DIFFERENCES.

    Skills are sorted by band, dataset and name; stages in the order of the model.
    """
    decided = apply_rules(found, kind, thresholds)
    decided.sort(key=lambda one: (BANDS.index(one[0].band), one[0].dataset, one[0].name))
    values: list[Row] = []
    skills: list[Row] = []
    differences: list[Row] = []
    for skill, numbers, rule in decided:
        key = {"model": model, "dataset": skill.dataset, "skill": skill.name, "band": skill.band}
        values += [key | row for row in _values(skill, numbers)]
        differences += [key | row for row in _differences(skill, numbers)]
        head = key | {"kind": kind, "contains": contains}
        text = why(skill, numbers, rule, thresholds_of(skill, thresholds))
        own = {"verdict": rule.verdict, "rule": rule.name, "why": text}
        skills.append(head | _class(skill, numbers) | own)
    return values, skills, differences


def _class(skill: Skill, found: Findings) -> Row:
    """Return the columns of a skill's class other than the values of its stages."""
    changed = found.changed
    return {
        "seen": ("alone" if found.decisive == "alone" else skill.seen) or None,
        "n": len(skill.groups),
        "groups": len(np.unique(skill.groups)),
        "chance": skill.chance,
        "changed": changed and changed.value,
        "changed_ci_low": changed and changed.low,
        "changed_ci_high": changed and changed.high,
        "look": skill.look + 1 if skill.looks else None,
        "answered": skill.answered if skill.looks else None,
        "planned": skill.looks[-1] if skill.looks else None,
    }


def _values(skill: Skill, found: Findings) -> list[Row]:
    rows = []
    for name in STAGES:
        if name in skill.stages:
            stage, at = skill.stages[name], found.estimates[name]
            groups = skill.groups if stage.groups is None else stage.groups
            row: Row = {"stage": name, "address": stage.address, "evidence": stage.evidence}
            row |= {"value": at.value, "ci_low": at.low, "ci_high": at.high, "n": at.n}
            row |= {"chance": skill.chance, "floor": at.floor, "groups": len(np.unique(groups))}
            rows.append(row)
    return rows


def _differences(skill: Skill, found: Findings) -> list[Row]:
    rows = []
    for name, test in found.tests.items():
        first, second = COMPARISONS[name]
        same = all(skill.stages[stage].groups is None for stage in (first, second))
        row: Row = {"comparison": name, "first": first, "second": second, "paired": same}
        row |= {"difference": test.difference, "ci_low": test.low, "ci_high": test.high}
        rows.append(row | {"p": test.p, "q": test.q})
    return rows
