"""Planted models (eyechart.verdict.planted) in memory, and the step's arguments."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from eyechart.core.files import write_json
from eyechart.core.randomness import generator
from eyechart.statistics.best_address import cross_fitted
from eyechart.tables.parquet import write_table
from eyechart.tables.probes import PREDICTIONS as PROBE_PREDICTIONS
from eyechart.tables.probes import PROBES
from eyechart.tables.readouts import PREDICTIONS
from eyechart.tables.verdict import COMPARISONS, parts, read_verdict
from eyechart.verdict import decide
from eyechart.verdict.evidence import Estimate, Findings, Skill, StageEvidence, Test
from eyechart.verdict.planted import (
    CONNECTOR,
    LM,
    READ_BLOCK,
    SCENARIOS,
    SPAN,
    Scenario,
    choices_of,
    write_tables,
)

MODELS = {
    name: SCENARIOS[name].right[0]
    for name in ("works", "sees nothing", "erased before the connector",
                 "erased after the connector", "ignored by the head", "reads the question alone")
}  # fmt: skip
SETTINGS = {
    "alpha": 0.01, "margin": 0.1, "encoder": "vision.read", "blind": "blank", "patterns": {},
}  # fmt: skip
TASK = "semantic_correspondence"
ITEMS, READOUTS = "results/datasets/drawn/items.parquet", "results/readout/m/drawn"
OUT = "results/verdict/m.parquet"
Row = dict[str, Any]


def skills_of(name: str, n: int, seed: int, count: int, size: int = 1) -> list[Skill]:
    """Return skills of one planted model in memory, as ``skills`` would."""
    case, found = SCENARIOS[name], []
    for k in range(count):
        rng = generator("planted", name, n, seed, k)
        chosen = {
            p: np.repeat(c, size)[:n] for p, c in choices_of(case, -(-n // size), rng).items()
        }
        right = {place: (one == 0).astype(float) for place, one in chosen.items()}
        groups = (np.arange(n) // size).astype(str)
        stages = chain_of(right, case) if case.evidence == "chain" else read_of(right, case, groups)
        for stage, condition in (("sighted", "sighted"), ("blind", "blank")):
            stages[stage] = StageEvidence(right[condition], "", "answer", 1 / case.choices)
        changed = (chosen["sighted"] != chosen["blank"]).astype(float)
        found.append(
            Skill("d", f"s{k}", "six", "canvas", groups, 1 / case.choices, stages, changed)
        )
    return found


def numbers(
    values: dict[str, float],
    *,
    reach: float = 0.02,
    floor: float = 0.25,
    changed: float = 0.5,
    probed: bool = False,
) -> Findings:
    """Return findings with these values, each within ``reach``; every difference has a q."""
    at = {
        k: Estimate(v, v - reach, v + reach, 400, floor, v - reach, v + reach)
        for k, v in values.items()
    }
    tests = {}
    for name, pair in COMPARISONS.items():
        if set(pair) <= set(values):
            gap = values[pair[0]] - values[pair[1]]
            q = 0.0001 if abs(gap) > reach else 1.0
            tests[name] = Test(gap, gap - reach, gap + reach, q, q)
    ends = changed - reach, changed + reach
    return Findings(at, tests, Estimate(changed, *ends, 400, 0.0, *ends), probed=probed)


def read_of(
    right: dict[str, np.ndarray], case: Scenario, groups: np.ndarray
) -> dict[str, StageEvidence]:
    """Return the stages of untrained readouts."""
    each = np.stack([right[a] for a in LM])
    best, _ = cross_fitted(each, groups, generator("best"))
    read = {"encoder": right[READ_BLOCK], "connector": right[CONNECTOR], "lm_best": best}
    found = {k: StageEvidence(v, k, "readout", 1 / case.choices) for k, v in read.items()}
    return found | {"lm_best": replace(found["lm_best"], candidates=each)}


def chain_of(right: dict[str, np.ndarray], case: Scenario) -> dict[str, StageEvidence]:
    """Return the stages of probes, from the encoder to the answer position."""
    at = {"encoder": READ_BLOCK, "connector": CONNECTOR, "lm_best": LM[0], "lm_last": LM[-1]}
    at |= {"position_best": f"{LM[0]}/{SPAN}", "position_last": f"{LM[-1]}/{SPAN}"}
    asked = max(1 / case.choices, right["blank"].mean())
    return {
        k: StageEvidence(right[a], a, "probe", asked if k[0] in "lp" else 1 / case.choices)
        for k, a in at.items()
    }


def decided(root: Path, name: str, n: int, count: int, seed: int = 0) -> list[Row]:
    """Return the step's rows for one planted model, one per skill."""
    case, tasks = SCENARIOS[name], {f"{k:03d}": n for k in range(count)}
    found = write_tables(root, "m", "drawn", case, tasks, generator("decided", name, n, seed))
    lists = {"items": found.items, "answers": found.answers, "readouts": found.readouts}
    decide.main(flags(root, kind=case.kind, probes=found.probes, **lists))
    return read(root / OUT)


def write_model(
    root: Path, name: str, *, n: int, seed: int = 0, task: str = TASK, model: str = "m"
) -> list[str]:
    """Write one planted model's items, readouts and answers; return the step's flags."""
    rng = generator("planted", name, n, seed)
    found = write_tables(root, model, "drawn", SCENARIOS[name], {task: n}, rng)
    return flags(
        root, model=model, items=found.items, readouts=found.readouts, answers=found.answers
    )


def flags(
    root: Path,
    *,
    model: str = "m",
    kind: str = "vlm",
    contains: str = "",
    settings: Row | None = None,
    reads: list[str] | None = None,
    **lists: list[Path],
) -> list[str]:
    """Return the step's command-line arguments; lists that are not given are empty."""
    card = root / f"results/models/{model}/card.json"
    write_json(card, {"reads": reads or [READ_BLOCK]})
    words = ["--model", model, "--kind", kind, "--contains", contains, "--card", str(card)]
    for name in (
        "items",
        "answers",
        "readouts",
        "probes",
        "encoder_items",
        "encoder_answers",
        "effects",
    ):
        words += [f"--{name.replace('_', '-')}", *map(str, lists.get(name, []))]
    words += ["--settings", json.dumps(SETTINGS | (settings or {})), "--seed", "7"]
    three = parts(root / f"results/verdict/{model}.parquet")
    for flag, path in zip(("output", "classes", "differences"), three, strict=True):
        words += [f"--{flag}", str(path)]
    return words


def write_probes(root: Path, task: str, known: float, n: int, c: int = 4) -> Path:
    """Write language-model probes that are right on some share of items, with predictions."""
    rng = generator("planted probes", task)
    letters = list("ABCDEFGH"[:c])
    truth = rng.integers(c, size=n)
    rows, said = [], []

    def add(address: str, kind: str, right: np.ndarray, cv: float | None) -> None:
        key = {"address": address, "span": "last" if address else "", "kind": kind}
        key |= {"probe": "linear" if address else "", "seed": 0 if address else None}
        row = dict.fromkeys(PROBES.names) | {"model": "m", "dataset": "drawn", "task": task}
        rows.append(row | key | {"scope": "item", "cv_accuracy": cv})
        for i in range(n):
            word = letters[truth[i] if right[i] else (truth[i] + 1) % c]
            said.append(
                key | {"id": f"{task}-{i:04d}", "truth": letters[truth[i]], "prediction": word}
            )

    add("", "majority", rng.random(n) < 1 / c, None)
    for i, address in enumerate(LM):
        add(address, "task", rng.random(n) < known, known + 0.01 * i)
    path = root / f"results/probing/m/drawn/{task}.parquet"
    write_table(path, pa.Table.from_pylist(rows, PROBES))
    table = pa.Table.from_pylist(said, PROBE_PREDICTIONS)
    write_table(path.with_suffix(".predictions.parquet"), table)
    return path


def read(path: Path) -> list[Row]:
    """Return one row per skill, with the numbers of its stages and comparisons by name."""
    rows = []
    for skill in read_verdict(path).by_skill():
        stages, differences = skill.pop("stages"), skill.pop("differences")
        for name, found in [*stages.items(), *differences.items()]:
            skill |= {f"{name}_{key}": value for key, value in found.items()}
        rows.append(skill)
    return rows


def change(path, *columns: pl.Expr, keep: pl.Expr | None = None, **named: pl.Expr) -> None:
    """Rewrite a table with some columns changed or some rows removed."""
    schema = pq.read_schema(path)
    table = pl.read_parquet(path).with_columns(*columns, **named)
    table = table if keep is None else table.filter(keep)
    write_table(path, table.select(schema.names).to_arrow().cast(schema))


def add(path, rows: pl.DataFrame) -> None:
    """Append rows to a table of predictions."""
    both = pl.concat([pl.read_parquet(path), rows.select(PREDICTIONS.names)])
    write_table(path, both.to_arrow().cast(PREDICTIONS))


def with_probes(words: list[str], path: Path) -> list[str]:
    """Return the step's flags with an additional table of probes."""
    at = words.index("--probes") + 1
    return [*words[:at], str(path), *words[at:]]
