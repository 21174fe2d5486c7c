"""Rows of the table of verdicts: tests corrected together, classes, sentences."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.verdict import BANDS
from eyechart.verdict.evidence import Findings, Skill, measure
from eyechart.verdict.rules import Rule, VerdictThresholds, decide
from eyechart.verdict.sentences import why

Row = dict[str, Any]


def judge(
    found: Sequence[Skill], kind: str, bar: VerdictThresholds
) -> list[tuple[Skill, Findings, Rule]]:
    """Give the numbers and the rule of every skill; q is over all tests of all of them.

    Parameters
    ----------
    found : sequence of Skill
        All of one model.
    kind : str
        ``vlm`` or ``encoder``.
    bar : VerdictThresholds
    """
    measured = [measure(skill, kind) for skill in found]
    p = [test.p for one in measured for test in one.tests.values()]
    q = iter(benjamini_hochberg(np.array(p, dtype=float)).tolist())
    judged = []
    for skill, one in zip(found, measured, strict=True):
        tests = {name: replace(test, q=next(q)) for name, test in one.tests.items()}
        final = replace(one, tests=tests)
        judged.append((skill, final, decide(final, bar)))
    return judged


def rows(
    found: Sequence[Skill], model: str, kind: str, contains: str | None, bar: VerdictThresholds
) -> list[Row]:
    """Give rows of ``eyechart.tables.verdict.VERDICT``: by band, then dataset, then skill."""
    head = {"model": model, "kind": kind, "contains": contains}
    judged = judge(found, kind, bar)
    judged.sort(key=lambda one: (BANDS.index(one[0].band), one[0].dataset, one[0].name))
    return [head | _row(skill, numbers, rule, bar) for skill, numbers, rule in judged]


def _row(skill: Skill, found: Findings, rule: Rule, bar: VerdictThresholds) -> Row:
    row: Row = {
        "dataset": skill.dataset,
        "skill": skill.name,
        "band": skill.band,
        "seen": ("alone" if found.decisive == "alone" else skill.seen) or None,
        "n": len(skill.groups),
        "groups": len(np.unique(skill.groups)),
        "chance": skill.chance,
        "verdict": rule.verdict,
        "rule": rule.name,
        "why": why(skill, found, rule, bar),
    }
    for name, stage in skill.stages.items():
        at = found.estimates[name]
        row |= {f"{name}_value": at.value, f"{name}_ci_low": at.low, f"{name}_ci_high": at.high}
        row |= {f"{name}_floor": at.floor, f"{name}_n": at.n, f"{name}_address": stage.address}
        row[f"{name}_evidence"] = stage.evidence
    for name, test in found.tests.items():
        row |= {f"{name}_difference": test.difference, f"{name}_p": test.p, f"{name}_q": test.q}
        row |= {f"{name}_ci_low": test.low, f"{name}_ci_high": test.high}
    if found.changed:
        row |= {"changed_value": found.changed.value, "changed_ci_low": found.changed.low}
        row["changed_ci_high"] = found.changed.high
    return row
