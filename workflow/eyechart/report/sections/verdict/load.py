"""The verdicts: per skill the stages of every model, and the class with its reason."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.report.labels import WITHOUT_IMAGE
from eyechart.report.sections.verdict.check import check_verdicts
from eyechart.report.sections.verdict.classes import (
    BAND_NAMES,
    LANES,
    LIT,
    LOOKS,
    TESTED,
    ClassLook,
    skill_name,
)
from eyechart.tables.scores import pattern_order
from eyechart.tables.verdict import ENCODED, NERVE, PATTERN, Verdict, parts, read_verdict
from eyechart.tables.verdict_rules import RULES, Test, VerdictThresholds

Row = dict[str, Any]
# The stage whose number stands beside the class: the first that there is
HEADLINE = ("sighted", "lm_best", "connector", "alone", "encoder", "lm_last", "blind")


@dataclass(frozen=True)
class ModelVerdicts:
    """The verdicts of one model, with the settings that they were made with."""

    model: str
    kind: str
    contains: str | None
    note: Row
    rows: tuple[Row, ...]

    def bar(self) -> VerdictThresholds:
        """Return the thresholds of the rules."""
        return VerdictThresholds(self.note["alpha"], self.note["margin"])

    def counts(self) -> list[tuple[ClassLook, int]]:
        """Return how many skills are of each class, those that occur."""
        found = [
            (look, sum(r["verdict"] == name for r in self.rows)) for name, look in LOOKS.items()
        ]
        return [(look, count) for look, count in found if count]


def read_verdicts(paths: Sequence[Path]) -> list[ModelVerdicts]:
    """Read tables of verdicts, in the order given; a table without rows is left out.

    Raise a UserError if the checks of this section refuse a table, a model is there twice, or two
    tables were made with different settings.
    """
    found: list[ModelVerdicts] = []
    for path in paths:
        verdict = read_verdict(path)
        check_verdicts(path, verdict)
        if not len(verdict.skills):
            continue
        note = _note(path, verdict)
        rows = tuple(verdict.by_skill())
        model = rows[0]["model"]
        if model in {exam.model for exam in found}:
            raise UserError(f"{path}: model {model!r} is in another table already")
        if found and note != found[0].note:
            raise UserError(
                f"{path}: made with {json.dumps(note)}, but {found[0].model} with "
                f"{json.dumps(found[0].note)}; one page compares one set of rules"
            )
        found.append(ModelVerdicts(model, rows[0]["kind"], rows[0]["contains"], note, rows))
    return found


def card(paths: Sequence[Path]) -> Row | None:
    """Return what the template shows, VLMs first; None where there is no verdict."""
    exams = sorted(read_verdicts(paths), key=lambda exam: exam.kind != "vlm")
    if not exams:
        return None
    bands = grid(exams)
    return {
        "exams": exams,
        "note": exams[0].note,
        "looks": LOOKS,
        "used": [look for name, look in LOOKS.items() if _occurs(name, exams)],
        "rules": [{"look": LOOKS[r.verdict], "shown": r.shown, "unless": r.unless} for r in RULES],
        "grid": bands,
        "families": families(exams),
        "lanes": LANES,
        "lost": any(
            c["lost"] for band in bands for line in band["lines"] for c in line["cells"] if c
        ),
        "blind": WITHOUT_IMAGE[exams[0].note["blind"]],
    }


def grid(exams: Sequence[ModelVerdicts]) -> list[Row]:
    """Return per band its lines: a skill with chance and datasets, and a cell per model (or None).

    Where every model has a pattern in one dataset only, the two that MMVP consists of
    (questions for VLMs, statements for encoders) share a line.
    """
    bands = []
    for band, name in BAND_NAMES.items():
        lines = _lines(exams, band, band == PATTERN and all(map(_once, exams)))
        if lines:
            several = len({tuple(line["datasets"]) for line in lines}) > 1
            bands.append({"name": name, "several": several, "lines": lines})
    return bands


def _lines(exams: Sequence[ModelVerdicts], band: str, joined: bool) -> list[Row]:
    found: dict[tuple[str, str], list[Row | None]] = {}
    for index, exam in enumerate(exams):
        for row in exam.rows:
            if row["band"] == band:
                key = row["skill"], "" if joined else row["dataset"]
                found.setdefault(key, [None] * len(exams))[index] = row
    lines = []
    for (skill, _), at in sorted(found.items(), key=lambda one: _rank(band, *one[0])):
        there = [row for row in at if row]
        line = {"skill": skill_name(skill), "chance": there[0]["chance"]}
        line["datasets"] = sorted({row["dataset"] for row in there})
        lines.append(line | {"cells": [row and cell(row, exams[0].bar()) for row in at]})
    return lines


def cell(row: Row, bar: VerdictThresholds) -> Row:
    """Return one skill of one model: its look, its stages as lanes, its headline, its tests.

    ``lost`` says whether some was lost before the language model, where that is not the class.
    """
    stages, differences = row["stages"], row["differences"]
    alone, encoder = (stages.get(name, {}).get("value") for name in ("alone", "encoder"))
    once = row["seen"] == "alone" and alone == encoder
    beside = "alone" if once or row["seen"] != "alone" else "encoder"  # it did not decide
    lit = set(LIT[row["rule"]]) - {beside}
    lanes = [
        stages[stage] | {"name": name, "lit": stage in lit}
        for stage, name in LANES.items()
        if stage in stages and not (stage == "alone" and once)
    ]
    tests = [
        differences[two] | {"name": name} for two, name in TESTED.items() if two in differences
    ]
    by_stage = {lane["stage"]: lane for lane in lanes}
    wanted = HEADLINE if row["verdict"] != ENCODED else ("alone", "encoder")
    head = next(by_stage[s] for s in wanted if s in by_stage)
    return {"row": row, "look": LOOKS[row["verdict"]], "lanes": lanes, "tests": tests, "head": head,
            "lost": row["verdict"] != NERVE and _lost(row, bar)}  # fmt: skip


def families(exams: Sequence[ModelVerdicts]) -> list[Row]:
    """Return models with the same encoder side by side, such as before and after tuning."""
    found = []
    keyed = sorted(exams, key=lambda e: _first(exams, e))
    for _, group in groupby(keyed, key=_family):
        members = list(group)
        found.append({"models": members, "encoder": members[0].contains, "bands": grid(members)})
    return found


def _lost(row: Row, bar: VerdictThresholds) -> bool:
    """Return whether the rules' own fact of a loss before the language model is shown."""
    for two in ("encoder_connector", "encoder_lm"):
        found = row["differences"].get(two)
        numbers = ("difference", "ci_low", "ci_high", "p", "q")
        if found and bar.above(Test(*(found[n] for n in numbers))):
            return True
    return False


def _rank(band: str, skill: str, dataset: str) -> tuple[int, str, str]:
    return (pattern_order(skill)[0] if band == PATTERN else 0, skill, dataset)


def _once(exam: ModelVerdicts) -> bool:
    """Return whether a model has each pattern in one dataset only."""
    skills = [row["skill"] for row in exam.rows if row["band"] == PATTERN]
    return len(skills) == len(set(skills))


def _family(exam: ModelVerdicts) -> tuple[str, str]:
    return ("with", exam.contains) if exam.contains else ("alone", exam.model)


def _first(exams: Sequence[ModelVerdicts], exam: ModelVerdicts) -> int:
    return next(i for i, other in enumerate(exams) if _family(other) == _family(exam))


def _occurs(name: str, exams: Sequence[ModelVerdicts]) -> bool:
    return any(row["verdict"] == name for exam in exams for row in exam.rows)


def _note(path: Path, verdict: Verdict) -> Row:
    if verdict.note is None:
        classes = parts(path)[1]
        raise UserError(f"{classes}: its rules are not stored in it; delete it and run again")
    return verdict.note
