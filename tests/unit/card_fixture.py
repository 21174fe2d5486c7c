"""Verdict tables of invented models with every class, in the format of the step `decide`."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from eyechart.report.sections.verdict.load import card
from eyechart.report.templates import render_section
from eyechart.tables.parquet import write_table
from eyechart.tables.verdict import COMPARISONS, PATTERN, QUESTION, SIX, parts, write_verdict

NOTE = {"alpha": 0.01, "margin": 0.1, "blind": "blank", "patterns": {"mmvp": "mmvp_vlm"}}
NINE = ["orientation", "presence", "state", "quantity", "position", "color", "structure", "text",
        "viewpoint"]  # fmt: skip
CHAIN = ("encoder", "connector", "lm_first", "lm_best", "lm_last", "position_best", "sighted")
Cell = dict[str, Any]
SHOWN = {"figures": ["verdict"]}


def cell(skill: str, verdict: str, *values: float | None, **more: Any) -> Cell:
    """Return a CLEVR skill with its class and its values along CHAIN; None: not measured."""
    found = {"skill": skill, "verdict": verdict, "dataset": "clevr", "band": QUESTION, "n": 186}
    found |= {"chance": 0.125, "blind": 0.125, "loss": None, "partly": False}
    return found | {"stages": dict(zip(CHAIN, values, strict=False))} | more


def patterns(dataset: str, verdict: str, value: float) -> list[Cell]:
    """Return the nine patterns, which have only answers."""
    own = {"dataset": dataset, "band": PATTERN, "n": 30, "chance": 0.5, "blind": 0.5}
    own |= {"pooled": (0.6, 0.5, 0.7)}
    return [cell(name, verdict, *[None] * 6, value, **own) for name in NINE]


RETRIEVAL = ("lm_best", "position_best")
MODELS: dict[str, tuple[str, list[Cell]]] = {
    "tiny_clip": (
        "encoder",
        [
            cell("color", "encoded", 0.97),
            cell("shape", "not_encoded", 0.2),
            *patterns("mmvp", "undecided", 0.52),
            *patterns("mmvp_vlm", "used", 0.9),
        ],
    ),
    "tiny_llava": (
        "vlm",
        [
            cell("color", "not_retrieved", 0.97, 0.98, 0.98, 0.98, 0.97, 0.78, 0.77,
                 loss=RETRIEVAL, partly=True),
            cell("material", "used", 0.83, 0.75, 0.81, 0.81, 0.8, 0.86, 0.83, chance=0.5,
                 blind=0.5, loss=("encoder", "connector")),
            cell("size", "used", 0.95, 0.89, 0.86, 0.88, 0.88, 0.9, 0.91, chance=0.5, blind=0.5),
            cell("shape", "undecided", 0.46, 0.45, 0.48, 0.55, 0.55, None, 0.5, needed=260),
            cell("odd_one_out", "prior", None, None, None, None, None, None, 0.7, blind=0.7,
                 band=SIX, dataset="mochi", chance=1 / 3),
            *patterns("mmvp", "undecided", 0.6),
        ],
    ),
    "a_patient": (
        "vlm",
        [
            cell("color", "lost_in_connector", 0.97, 0.1, 0.4, 0.4, 0.3, 0.3, 0.2,
                 loss=("encoder", "connector")),
            cell("material", "lost_in_lm", 0.9, 0.9, 0.88, 0.88, 0.58, 0.58, 0.55,
                 loss=("lm_best", "lm_last")),
            cell("shape", "not_verbalised", 0.9, 0.9, 0.9, 0.9, 0.9, 0.84, 0.1,
                 loss=("position_best", "sighted")),
            cell("size", "not_used", 0.9, 0.9, 0.9, 0.9, 0.9, None, 0.5,
                 loss=("lm_best", "sighted")),
            cell("boolean", "undecided", None, None, None, None, None, None, 0.55),
        ],
    ),
}  # fmt: skip


def write_card(root: Path, copies: int = 0) -> list[Path]:
    """Write the three tables of every model; return the paths of the tables of values."""
    more = {f"tiny_llava_{k}": MODELS["tiny_llava"] for k in range(copies)}
    return [_write(root, model, *found) for model, found in (MODELS | more).items()]


def _write(root: Path, model: str, kind: str, cells: list[Cell]) -> Path:
    contains = "tiny_clip" if kind == "vlm" else None
    values, skills, differences = [], [], []
    for one in cells:
        key = {name: one[name] for name in ("dataset", "skill", "band")} | {"model": model}
        stages = {k: v for k, v in one["stages"].items() if v is not None}
        if "sighted" in stages:
            stages["blind"] = one["blind"]
        values += [key | _value(stage, value, one) for stage, value in stages.items()]
        for name, (a, b) in COMPARISONS.items():
            if {a, b} <= set(stages):
                gap = stages[a] - stages[b]
                row = {"comparison": name, "first": a, "second": b, "paired": True}
                row |= {"difference": gap, "ci_low": gap - 0.05, "ci_high": gap + 0.05}
                differences.append(key | row | {"p": 0.001, "q": 0.002})
        skills.append(key | _class(one, stages) | {"kind": kind, "contains": contains})
    path = root / f"results/verdict/{model}.parquet"
    write_verdict(parts(path), (values, skills, differences), NOTE)
    return path


def _value(stage: str, value: float, one: Cell) -> Cell:
    evidence = "answer" if stage in ("sighted", "blind") else "probe"
    row = {"stage": stage, "address": "" if evidence == "answer" else f"{stage}/referent"}
    row |= {"ci_low": value - 0.05, "ci_high": value + 0.05, "value": value, "n": one["n"]}
    row |= {"chance": one["chance"], "floor": one["chance"], "groups": one["n"]}
    return row | {"evidence": evidence}


def _class(one: Cell, stages: Cell) -> Cell:
    first, second = one["loss"] or (None, None)
    row = {name: one[name] for name in ("verdict", "n", "chance", "partly")}
    row |= {"rule": "none" if one["verdict"] == "undecided" else "a rule", "groups": one["n"]}
    row |= {"loss_first": first, "loss_second": second, "needed": one.get("needed")}
    row |= {"loss": stages[first] - stages[second] if first else None}
    row |= dict(zip(("pooled", "pooled_low", "pooled_high"), one.get("pooled", ()), strict=False))
    row |= {"evidence": "observed_only"}
    if one["verdict"] == "not_retrieved":
        row |= {"evidence": "shown_causally", "cause": "misread", "horizon": "connector"}
        row |= {"causal": f"What {one['skill']} depends on"}
    return row | {"why": f"The reason why {one['skill']} is {one['verdict']}"}


def render(paths: list[Path]) -> str:
    """Return the section of the page."""
    shown = render_section("verdict", card=card(paths), settings=SHOWN)
    return f'<section id="verdict">{shown}</section>'


def text(markup: str) -> str:
    """Return the visible text of markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def spoil(path: Path, value: pl.Expr, column: str) -> None:
    """Rewrite one column of a table, keeping its metadata."""
    schema = pq.read_schema(path)
    table = pl.read_parquet(path).with_columns(value.alias(column)).to_arrow().cast(schema)
    write_table(path, table)
