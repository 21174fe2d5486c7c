"""Rows of the verdict tables: classes, sentences, and tests corrected within each skill."""

from collections.abc import Sequence

import numpy as np

from eyechart.statistics.pooling import pool_shares
from eyechart.tables.verdict import BANDS, COMPARISONS, PATTERN, STAGES, Row
from eyechart.verdict.causal import CausalEvidence
from eyechart.verdict.causal_sentences import causal_text
from eyechart.verdict.evidence import Findings, Skill, compare_all, measure, thresholds_of
from eyechart.verdict.losses import largest_drop, loss_of
from eyechart.verdict.outlook import items_needed
from eyechart.verdict.rules import NO_RULE, Rule, VerdictThresholds, decide, explain
from eyechart.verdict.sentences import TITLES, why

FEW = 60  # a pattern with fewer items also gets a pooled accuracy


def apply_rules(
    found: Sequence[Skill], kind: str, thresholds: VerdictThresholds
) -> list[tuple[Skill, Findings, Rule]]:
    """Return the findings and the rule of every skill.

    At a look, a class is assigned only if it holds both at the levels spent so far and at the full
    levels, because an exception or an earlier rule may hold at the full levels only.

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

    Skills are sorted by band, dataset and name; stages are in model order.
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
        skills.append(head | _class(skill, numbers) | _verdict(skill, numbers, rule, thresholds))
    add_pooled(skills, values)
    return values, skills, differences


def _verdict(skill: Skill, found: Findings, rule: Rule, thresholds: VerdictThresholds) -> Row:
    """Return the columns on a skill's class, its largest loss, and the items needed to decide."""
    own, undecided = thresholds_of(skill, thresholds), rule is NO_RULE
    needed = items_needed(skill, found.kind, thresholds) if undecided else None
    first, second, loss = largest_drop(found) or (None, None, None)
    if rule.verdict in TITLES:
        first, second = COMPARISONS[loss_of(found, rule, own).test]
        loss = found.estimates[first].value - found.estimates[second].value
    partly = rule.verdict in TITLES and own.above(found.tests.get("sighted_blind"))
    return {
        "verdict": rule.verdict,
        "rule": rule.name,
        "partly": partly,
        "loss_first": first,
        "loss_second": second,
        "loss": loss,
        "needed": needed,
        "why": why(skill, found, rule, own, needed),
        **_causal(skill.causal, rule, partly, thresholds),
    }


def _causal(
    found: CausalEvidence | None, rule: Rule, partly: bool, thresholds: VerdictThresholds
) -> Row:
    """Return the columns on interventions; if there are none, ``evidence`` says so."""
    evidence, cause = explain(found, rule, partly, thresholds)
    if found is None:
        return {"evidence": evidence}
    horizon = found.horizon(thresholds)
    return {
        "evidence": evidence,
        "cause": cause,
        "horizon": horizon,
        "horizon_sure": found.still(horizon, thresholds) if horizon else None,
        "used_at": ", ".join(found.used(thresholds)),
        "unused_at": ", ".join(found.unused(thresholds)),
        "causal": causal_text(found, cause, evidence, thresholds),
    }


def add_pooled(skills: list[Row], values: list[Row]) -> None:
    """Add an accuracy, pooled over the dataset's patterns, to each pattern with few items."""
    answers = {(row["dataset"], row["skill"]): row for row in values if row["stage"] == "sighted"}
    for dataset in {row["dataset"] for row in skills}:
        rows = [r for r in skills if r["dataset"] == dataset and r["band"] == PATTERN]
        rows = [r for r in rows if (dataset, r["skill"]) in answers]
        own = [answers[dataset, r["skill"]] for r in rows]
        if len(rows) < 3:
            continue
        n = np.array([answer["n"] for answer in own])
        pooled = pool_shares(n * np.array([answer["value"] for answer in own]), n)
        for row, found in zip(rows, pooled.tolist(), strict=True):
            if row["n"] < FEW:
                row |= dict(zip(("pooled", "pooled_low", "pooled_high"), found, strict=True))


def _class(skill: Skill, found: Findings) -> Row:
    """Return the columns of a skill's class, without the values of its stages."""
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
