"""The verdicts: the stages, class and reason of every skill and model."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.report.labels import WITHOUT_IMAGE
from eyechart.report.sections.verdict.check import check_verdicts
from eyechart.report.sections.verdict.classes import (
    BAND_NAMES,
    EVIDENCE_WORDS,
    KEPT,
    LANES,
    LOOKS,
    SLOTS,
    TESTED,
    between,
    shown,
    skill_name,
)
from eyechart.report.sections.verdict.findings import summarise
from eyechart.tables.scores import pattern_order
from eyechart.tables.verdict import ENCODED, PATTERN, UNDECIDED, Verdict, parts, read_verdict
from eyechart.tables.verdict_rules import RULES

Row = dict[str, Any]
# The stage with the number displayed next to the class: the first that exists
HEADLINE = ("sighted", *(stage for slot in reversed(SLOTS.values()) for stage in slot), "blind")


@dataclass(frozen=True)
class ModelVerdicts:
    """The verdicts of one model, with their settings."""

    model: str
    kind: str
    contains: str | None
    note: Row
    rows: tuple[Row, ...]

    def line(self, row: Row) -> tuple[str, str]:
        """Return the dataset and skill that identify a row's line in the card.

        A pattern's questions (for VLMs) and statements (for encoders) share a line.
        """
        pairs = self.note.get("patterns", {})
        asked = next((q for q, s in pairs.items() if s == row["dataset"]), row["dataset"])
        return asked, row["skill"]

    def second(self, row: Row) -> bool:
        """Return whether a row is replaced by the other row of its line."""
        pairs = self.note.get("patterns", {})
        return row["dataset"] in (pairs.values() if self.kind == "vlm" else pairs)


def read_verdicts(paths: Sequence[Path]) -> list[ModelVerdicts]:
    """Read tables of verdicts, in the given order; tables without rows are omitted.

    Raise a UserError if the checks of this section reject a table, if a model occurs twice, or if
    two tables have different settings.
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
    """Return the template data, VLMs first; None if there is no verdict."""
    exams = sorted(read_verdicts(paths), key=lambda exam: exam.kind != "vlm")
    if not exams:
        return None
    bands = grid(exams)
    columns = zip(*(line["cells"] for band in bands for line in band["lines"]), strict=True)
    models = [
        {"exam": exam, "finding": summarise(_named(column)), "cells": [*map(cell, exam.rows)]}
        for exam, column in zip(exams, columns, strict=True)
    ]
    used = {row["verdict"] for exam in exams for row in exam.rows}
    return {
        "models": models,
        "note": exams[0].note,
        "looks": LOOKS,
        "used": [look for name, look in LOOKS.items() if name in used],
        "rules": [{"look": LOOKS[r.verdict], "shown": r.shown, "unless": r.unless} for r in RULES],
        "grid": bands,
        "example": _example(),
        "blind": WITHOUT_IMAGE[exams[0].note["blind"]],
    }


def grid(exams: Sequence[ModelVerdicts]) -> list[Row]:
    """Return each band's lines: a skill with chance, n, datasets, and a cell or None per model."""
    bands = []
    for band, name in BAND_NAMES.items():
        lines = _lines(exams, band)
        if lines:
            several = len({tuple(line["datasets"]) for line in lines}) > 1
            bands.append({"name": name, "several": several, "lines": lines})
    return bands


def _lines(exams: Sequence[ModelVerdicts], band: str) -> list[Row]:
    found: dict[tuple[str, str], list[Row | None]] = {}
    for index, exam in enumerate(exams):
        for row in sorted(exam.rows, key=exam.second):
            if row["band"] == band:
                at = found.setdefault(exam.line(row), [None] * len(exams))
                at[index] = at[index] or row
    lines = []
    for (_, skill), at in sorted(found.items(), key=lambda one: _rank(band, *one[0])):
        there = [row for row in at if row]
        line = {"skill": skill_name(skill), "chance": there[0]["chance"]}
        line["n"] = sorted({row["n"] for row in there})
        line["datasets"] = sorted({row["dataset"] for row in there})
        lines.append(line | {"cells": [row and cell(row) for row in at]})
    return lines


def cell(row: Row) -> Row:
    """Return one skill of one model: its look, stages as lanes and as a strip, headline, tests."""
    stages, differences = row["stages"], row["differences"]
    lost = _lost(row)
    lanes = [
        stages[stage] | {"name": name, "lit": stage in lost}
        for stage, name in LANES.items()
        if stage in stages
    ]
    tests = [
        differences[two] | {"name": name} for two, name in TESTED.items() if two in differences
    ]
    wanted = HEADLINE if row["verdict"] != ENCODED else SLOTS["encoder"]
    head = next(stages[stage] for stage in (*wanted, *HEADLINE) if stage in stages)
    return {"row": row, "name": skill_name(row["skill"]), "look": LOOKS[row["verdict"]],
            "lanes": lanes, "tests": tests, "head": head, "strip": strip(row),
            "remark": _remark(row), "causal": _causal(row), "shown": shown(row)}  # fmt: skip


def strip(row: Row) -> list[Row]:
    """Return the five stages, each with its bars; a stage that was not read has none.

    A slot states whether the model has the stage (``there``). A bar has ``value``, ``floor`` (for
    the answer, the blind answer) and ``lost``, the value without the largest loss. A stage is drawn
    at the address of that loss, otherwise at its best address.
    """
    stages, lost = row["stages"], _lost(row)
    slots = []
    for slot, known in SLOTS.items():
        there = [stage for stage in known if stage in stages]
        bars = []
        for stage in [s for s in lost if s in there] or there[:1]:
            value, floor = stages[stage]["value"], stages[stage]["floor"]
            if stage == "sighted" and "blind" in stages:
                floor = stages["blind"]["value"]
            before = min(value + row["loss"], 1.0) if lost and stage == lost[1] else None
            bars.append({"value": value, "floor": floor, "lost": before})
        has = row["kind"] == "vlm" or slot in ("encoder", "answer")
        slots.append({"name": slot, "bars": bars, "there": has})
    return slots


def _example() -> list[Row]:
    """Return the example strip of the legend, with a loss and a stage that was not read."""
    stage = {"floor": 0.2, "ci_low": 0.2}
    shown = {"encoder": 0.9, "lm_best": 0.85, "position_best": 0.5, "sighted": 0.45, "blind": 0.2}
    stages = {name: stage | {"value": value} for name, value in shown.items()}
    lost = {"loss": 0.35, "loss_first": "lm_best", "loss_second": "position_best"}
    return strip({"kind": "vlm", "stages": stages} | lost)


def _lost(row: Row) -> tuple[str, ...]:
    """Return the stages with the largest loss between them, if any."""
    return (row["loss_first"], row["loss_second"]) if (row["loss"] or 0) > 0 else ()


def _remark(row: Row) -> str:
    """Return the text about the items that would decide a skill, or the loss of its class."""
    if row["verdict"] == UNDECIDED:
        some = f"about {row['needed']:,}" if row["needed"] else "not even 16 times as many"
        return f"{some} items would decide it"
    if row["verdict"] in KEPT or not _lost(row):
        return ""
    return f"loses {100 * row['loss']:.0f} points {between(*_lost(row))}"


def _causal(row: Row) -> tuple[str, str]:
    """Return the texts about how interventions support a VLM's class, and their results."""
    if row["kind"] != "vlm":
        return "", ""
    text = row["causal"] or "No interventions were made on its items."
    return f"{EVIDENCE_WORDS[row['evidence']].capitalize()}.", text


def _named(cells: Sequence[Row | None]) -> list[Row]:
    """Return the existing cells, with the dataset added to skill names that are not unique."""
    there = [one for one in cells if one]
    count = Counter(one["name"] for one in there)
    return [
        one | {"name": f"{one['name']} ({one['row']['dataset']})"}
        if count[one["name"]] > 1
        else one
        for one in there
    ]


def _rank(band: str, dataset: str, skill: str) -> tuple[int, str, str]:
    return (pattern_order(skill)[0] if band == PATTERN else 0, dataset, skill)


def _note(path: Path, verdict: Verdict) -> Row:
    if verdict.note is None:
        classes = parts(path)[1]
        raise UserError(f"{classes}: its rules are not stored in it; delete it and run again")
    return verdict.note
