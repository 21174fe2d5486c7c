"""Synthetic models of which it is known where they fail, and their tables as the workflow has them.

A model is its features: per item a score for each choice, the truth's lifted by a signal. Every
stage adds a little noise of its own; a bottleneck erases the signal there.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyechart.core.randomness import generator
from eyechart.tables.items import ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.probes import PREDICTIONS as PROBE_PREDICTIONS
from eyechart.tables.probes import PROBES
from eyechart.tables.readouts import PREDICTIONS
from eyechart.tables.responses import ANSWERS
from eyechart.tables.verdict import parts, read_verdict
from eyechart.verdict.best_address import cross_fitted
from eyechart.verdict.evidence import Skill, StageEvidence

# What becomes of the signal at each stage, how the model answers, and the class that is right
MODELS = {
    "sees nothing": ("", "features", "eyes"),
    "erased before the connector": ("encoder", "features", "nerve"),
    "erased after the connector": ("encoder connector", "features", "nerve"),
    "ignored by the head": ("encoder connector lm", "letter", "brain"),
    "reads the question alone": ("encoder connector lm", "question", "prior"),
    "works": ("encoder connector lm", "features", "encoded_and_used"),
}
LM = [f"lm.{i}" for i in range(4)] + ["lm.norm"]
SIGNAL, NOISE = 1.5, 0.25  # 0.67 right of four, and a little less from stage to stage
SETTINGS = {"alpha": 0.01, "margin": 0.1, "encoder": "last", "blind": "blank", "patterns": {}}
TASK = "semantic_correspondence"
Row = dict[str, Any]


def features(name: str, n: int, c: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Give the choice of every address and answer, (n,) each, the truth (0 everywhere) aside."""
    keeps, answers, _ = MODELS[name]
    noise = rng.normal(size=(n, c))
    found = {}
    for room, addresses in (("encoder", ["vision.3"]), ("connector", ["connector"]), ("lm", LM)):
        for address in addresses:
            noise = noise + NOISE * rng.normal(size=(n, c))
            scores = noise.copy()
            scores[:, 0] += SIGNAL * (room in keeps.split())
            found[address] = scores
    question = rng.normal(size=(n, c))  # what the question tells, and a taste for some letter
    question[:, 0] += 0.75
    letter = rng.normal(size=(n, c))
    head = {"features": found["lm.norm"], "letter": letter, "question": question}[answers]
    blind = letter if answers == "features" else head
    found["sighted"], found["blank"] = head, blind + 0.1 * rng.normal(size=(n, c))
    return {place: scores.argmax(1) for place, scores in found.items()}


def skills_of(name: str, n: int, c: int, seed: int, count: int) -> list[Skill]:
    """Give skills of one synthetic model in memory, as ``gather`` would."""
    found = []
    for k in range(count):
        rng = generator("planted", name, n, c, seed, k)
        choice = features(name, n, c, rng)
        right = {place: (chosen == 0).astype(float) for place, chosen in choice.items()}
        groups = np.arange(n).astype(str)
        best, _ = cross_fitted(np.stack([right[a] for a in LM]), groups, rng)
        read = {"encoder": right["vision.3"], "connector": right["connector"], "lm_best": best}
        stages = {k: StageEvidence(v, k, "readout", 1 / c) for k, v in read.items()}
        for stage, condition in (("sighted", "sighted"), ("blind", "blank")):
            stages[stage] = StageEvidence(right[condition], "", "answer", 1 / c)
        changed = (choice["sighted"] != choice["blank"]).astype(float)
        found.append(Skill("d", f"s{k}", "six", "canvas", groups, 1 / c, stages, changed))
    return found


def write_model(
    root: Path, name: str, *, n: int, c: int = 4, seed: int = 0, task: str = TASK, model: str = "m"
) -> list[str]:
    """Write items, readouts and answers of one synthetic model; give the flags of the step."""
    rng = generator("planted", name, n, c, seed)
    choice = features(name, n, c, rng)
    letters = list("ABCDEFGH"[:c])
    truth = rng.integers(c, size=n)
    items: list[Row] = []
    readings: list[Row] = []
    said: dict[str, list[Row]] = {"sighted": [], "blank": []}
    for i in range(n):
        row = dict.fromkeys(ITEMS.names) | {"item_id": f"q{i:04d}", "split": "val"}
        row |= {"group_split": "test", "group": f"g{i:04d}", "images": [f"i{i}"], "type": "t"}
        row |= {"prompt": "Which?", "choices": letters, "answer": letters[truth[i]], "task": task}
        items.append(row | {"meta": "{}"})
        for place, chosen in choice.items():
            # choice 0 of the features is the truth: letters are dealt anew for every item
            word = letters[(chosen[i] + truth[i]) % c]
            if place in said:
                answer = dict.fromkeys(ANSWERS.names) | {"model": model, "dataset": "drawn"}
                answer |= {"condition": place, "item_id": row["item_id"], "order": 0}
                said[place].append(answer | {"predicted": word})
            else:
                key = {"task": task, "seen": "canvas", "address": place, "readout": "points"}
                key |= {"item_id": row["item_id"], "scores": [0.0] * c, "predicted": word}
                readings.append(key | {"answer": row["answer"]})
    paths = {
        "items": root / "results/datasets/drawn/items.parquet",
        "readouts": root / f"results/readout/{model}/drawn.predictions.parquet",
    }
    write_table(paths["items"], pa.Table.from_pylist(items, ITEMS))
    write_table(paths["readouts"], pa.Table.from_pylist(readings, PREDICTIONS))
    answers = []
    for condition, rows in said.items():
        answers.append(root / f"results/behavior/responses/{model}/drawn/{condition}.parquet")
        write_table(answers[-1], pa.Table.from_pylist(rows, ANSWERS))
    return flags(
        root, model=model, items=[paths["items"]], readouts=[paths["readouts"]], answers=answers
    )


def flags(root: Path, *, model: str = "m", kind: str = "vlm", contains: str = "", settings: Row
          | None = None, **lists: list[Path]) -> list[str]:  # fmt: skip
    """Give the command line of the step; lists that are not named are empty."""
    words = ["--model", model, "--kind", kind, "--contains", contains]
    for name in ("items", "answers", "readouts", "probes", "encoder_items", "encoder_answers"):
        words += [f"--{name.replace('_', '-')}", *map(str, lists.get(name, []))]
    words += ["--settings", json.dumps(SETTINGS | (settings or {})), "--seed", "7"]
    three = parts(root / f"results/verdict/{model}.parquet")
    for flag, path in zip(("output", "classes", "differences"), three, strict=True):
        words += [f"--{flag}", str(path)]
    return words


def write_probes(root: Path, task: str, known: float, n: int, c: int = 4) -> Path:
    """Write probes of a language model that know a share of the answers, and their predictions."""
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
            said.append(key | {"id": f"q{i:04d}", "truth": letters[truth[i]], "prediction": word})

    add("", "majority", rng.random(n) < 1 / c, None)
    for i, address in enumerate(LM):
        add(address, "task", rng.random(n) < known, known + 0.01 * i)
    path = root / f"results/probing/m/drawn/{task}.parquet"
    write_table(path, pa.Table.from_pylist(rows, PROBES))
    table = pa.Table.from_pylist(said, PROBE_PREDICTIONS)
    write_table(path.with_suffix(".predictions.parquet"), table)
    return path


def read(path: Path) -> list[Row]:
    """Return a row per skill, with the numbers of its stages and comparisons by name."""
    rows = []
    for skill in read_verdict(path).by_skill():
        stages, differences = skill.pop("stages"), skill.pop("differences")
        for name, found in [*stages.items(), *differences.items()]:
            skill |= {f"{name}_{key}": value for key, value in found.items()}
        rows.append(skill)
    return rows
