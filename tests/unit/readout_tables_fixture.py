"""Invented models' readouts and scores, in the schemas of the real tables."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from eyechart.core.randomness import generator
from eyechart.readout import registry
from eyechart.tables.parquet import write_table
from eyechart.tables.readouts import DEPTH, DEPTH_DPT, MANY, NOTE, READOUTS, TASKS
from eyechart.tables.scores import SCORES

SMALL = [f"vision.{i}" for i in range(4)] + ["connector"] + [f"lm.{i}" for i in range(4)]
LARGE = [f"vision.{i}" for i in range(24)] + ["connector"] + [f"lm.{i}" for i in range(32)]
EVIL = "<script>alert(1)</script>"
N = 130


def write_readouts(root: Path, model: str, addresses: list[str], answers: bool = True) -> Path:
    """Write a model's readouts on ``six``, and its scores if it answers; return the path."""
    draw = generator("fixture readouts", model)
    rows, scores = [], []
    for task in TASKS:
        chance = {DEPTH: 0.5, "art_style": 0.5, "odd_one_out": 0.29}.get(task, 0.25)
        own = {"model": model, "dataset": "six", "task": task, "chance": chance}
        own |= {"n": N, "groups": N - 5}
        for condition, value in (("sighted", chance + 0.08), ("blank", chance + 0.01)):
            row = dict.fromkeys(SCORES.names) | own | {"condition": condition, "metric": "accuracy"}
            row |= interval(value)
            if condition == "blank":
                row |= {"against": "sighted", "difference": -0.07, "p": 0.02, "q": 0.04}
            scores.append(row)
        for readout in registry.names(task):
            there = (*MANY, *addresses[-1:]) if readout == DEPTH_DPT else addresses
            for seen in ("alone",) if readout == "cls" else ("alone", "canvas"):
                for i, address in enumerate(there):
                    height = 0.45 * np.sin(np.pi * (i + 3) / (len(there) + 6))
                    value = chance + height * (1 if seen == "alone" else 0.7)
                    value += 0.02 * draw.standard_normal()
                    row = dict.fromkeys(READOUTS.names) | own | {"seen": seen, "address": address}
                    tests = {"answer": chance + 0.08, "difference": value - chance - 0.08}
                    tests |= {"p": 0.001, "q": 0.003}
                    rows.append(
                        row | interval(value) | {"readout": readout} | (tests if answers else {})
                    )
                    off = chance + 0.03 * draw.standard_normal()
                    rows.append(row | interval(off) | {"readout": f"{readout}/shuffled"})
    unread = {"task": "odd_one_out", "seen": "alone", "stage": "vision", "scope": "image"}
    unread |= {"items": 2, "of": N + 2, "why": f"point outside {EVIL}", "first": ["q1"]}
    note = json.dumps({"unread": [unread], "notes": [f"no depth head stands for lm.{EVIL}"]})
    path = root / f"results/readout/{model}/six.parquet"
    write_table(path, pa.Table.from_pylist(rows, READOUTS.with_metadata({NOTE: note})))
    if answers:
        write_table(
            root / f"results/behavior/scores/{model}/six.parquet",
            pa.Table.from_pylist(scores, SCORES),
        )
    return path


def interval(value: float) -> dict[str, float]:
    """Return a value in [0, 1] with the interval of a typical number of items."""
    value = float(np.clip(value, 0, 1))
    half = 1.96 * (value * (1 - value) / N) ** 0.5
    return {"value": value, "ci_low": max(0, value - half), "ci_high": min(1, value + half)}
