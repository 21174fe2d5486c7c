"""The former format of the verdict, with one wide row per skill, for comparison."""

from pathlib import Path
from typing import Any

import polars as pl

from eyechart.tables.verdict import COMPARISONS, STAGES
from eyechart.verdict.evidence import Findings, Skill
from eyechart.verdict.outlook import items_needed
from eyechart.verdict.rules import NO_RULE, Rule, VerdictThresholds
from eyechart.verdict.sentences import why

Row = dict[str, Any]


def wide_row(skill: Skill, found: Findings, rule: Rule, bar: VerdictThresholds, kind: str) -> Row:
    """Return a skill's numbers by name, directly from the measurements."""
    row: Row = {"dataset": skill.dataset, "skill": skill.name, "band": skill.band}
    row |= {"seen": ("alone" if found.decisive == "alone" else skill.seen) or None}
    row |= {"n": len(skill.groups), "groups": len(set(skill.groups)), "chance": skill.chance}
    needed = items_needed(skill, kind, bar) if rule is NO_RULE else None
    row |= {"verdict": rule.verdict, "rule": rule.name, "why": why(skill, found, rule, bar, needed)}
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


def write_wide(path: Path, rows: list[Row], head: Row) -> None:
    """Write wide rows with all former columns."""
    stage = {"value": float, "ci_low": float, "ci_high": float, "floor": float, "n": int}
    columns: dict[str, type] = dict.fromkeys(
        ("model", "kind", "contains", "dataset", "skill", "band", "seen"), str
    ) | {"n": int, "groups": int, "chance": float}
    for name in STAGES:
        columns |= {f"{name}_{key}": kind for key, kind in stage.items()}
        columns |= {f"{name}_address": str, f"{name}_evidence": str}
    for name in COMPARISONS:
        columns |= {f"{name}_{n}": float for n in ("difference", "ci_low", "ci_high", "p", "q")}
    columns |= dict.fromkeys(("changed_value", "changed_ci_low", "changed_ci_high"), float)
    columns |= dict.fromkeys(("verdict", "rule", "why"), str)
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame([head | row for row in rows], schema=columns).write_parquet(path)
