"""Questions and answers of invented VLMs, as tables for the scoring step.

An invented VLM is a function of the question, the options as shown, and the answer that the image
shows (null if it shows none).
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.behavior import score_answers
from eyechart.tables.items import ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.responses import ANSWERS

CONDITIONS = ("sighted", "blank", "swapped")

Vlm = Callable[[str, list[str], str | None], str]


def says_a(question: str, options: list[str], seen: str | None) -> str:
    """Return the first option, always."""
    return options[0]


def looks(question: str, options: list[str], seen: str | None) -> str:
    """Return the answer that the image shows, or the alphabetically first option."""
    return seen or min(options)


def reads(question: str, options: list[str], seen: str | None) -> str:
    """Return the answer that is the question's last word."""
    return question.rsplit(maxsplit=1)[-1]


def item(name: str, answer: str | None, choices: Iterable[str], **more) -> dict:
    """Return a row of ``ITEMS``."""
    row = {
        "item_id": name,
        "split": "test",
        "group_split": "test",
        "group": name,
        "images": [name],
        "prompt": f"Which one? {next(iter(choices), '')}",
        "choices": list(choices),
        "answer": answer,
        "task": "state",
        "type": "",
        "pair": None,
        "meta": "{}",
    }
    return row | more


def pairs(count: int, tasks: int = 1, leaning: int = 2) -> list[dict]:
    """Return pairs of questions with opposite answers; every ``leaning``-th question favours "on".

    A pair's first item has the answer "off"; questions end with the answer that they favour.
    """
    rows = []
    for i in range(count):
        prompt = f"Lamp {i}: on or off? I say {'on' if i % leaning == 0 else 'off'}"
        group = f"pair_{i:03d}"
        shared = {"prompt": prompt, "group": group, "pair": group, "task": f"task_{i % tasks}"}
        rows += [
            item(f"{group}_{j}", answer, ["off", "on"], **shared)
            for j, answer in enumerate(["off", "on"])
        ]
    return rows


def answers(
    items: list[dict], vlm: Vlm, condition: str, orders: int | str = "all", model: str = "fake"
) -> list[dict]:
    """Return the rows of ``ANSWERS`` of an invented VLM; ``swapped`` shows the partner's image."""
    rows = []
    for row in items:
        choices = row["choices"]
        c = len(choices)
        seen = {"sighted": row["answer"], "swapped": partner(row, items)["answer"]}.get(condition)
        for order in range(c if orders == "all" else min(c, int(orders))):
            options = [choices[(j + order) % c] for j in range(c)]
            said = vlm(row["prompt"], options, seen)
            rows.append(answer(row["item_id"], condition, order, said, choices, model))
    return rows


def answer(
    name: str, condition: str, order: int, said: str, choices: list[str], model: str = "fake"
) -> dict:
    """Return one row in which the given choice is likelier than the others, which are equal."""
    return {
        "model": model,
        "dataset": "lamps",
        "condition": condition,
        "item_id": name,
        "order": order,
        "shown": [],
        "prompt": "",
        "log_probability": [0.0 if choice == said else -1.0 for choice in choices],
        "tokens": [1] * len(choices),
        "unconditional": None,
        "scoring": "mean",
        "predicted": said,
        "text": None,
        "parsed": None,
    }


def partner(row: dict, items: list[dict]) -> dict:
    """Return the other item of a pair, or the item itself if there is none."""
    others = (o for o in items if o["pair"] == row["pair"] and o["item_id"] != row["item_id"])
    return next(others, row) if row["pair"] else row


def coin(p: float, seed: int) -> Vlm:
    """Return a VLM that is right with probability p if it sees the image, and otherwise guesses."""
    rng = np.random.default_rng(seed)

    def vlm(question: str, options: list[str], seen: str | None) -> str:
        if seen is not None and rng.random() < p:
            return seen
        return options[rng.integers(len(options))]

    return vlm


def write(folder: Path, items: list[dict], said: dict[str, list[dict]]) -> dict[str, Path]:
    """Write items and answers by condition; return the paths, including ``items``."""
    paths = {"items": folder / "items.parquet"}
    write_table(paths["items"], pa.Table.from_pylist(items, ITEMS))
    for condition, rows in said.items():
        paths[condition] = folder / f"{condition}.parquet"
        write_table(paths[condition], pa.Table.from_pylist(rows, ANSWERS))
    return paths


def references(*texts: str) -> str:
    """Return the ``meta`` of an open question."""
    return json.dumps({"references": list(texts)})


def score(
    folder: Path,
    items: list[dict],
    said: dict[str, list[dict]],
    model: str = "fake",
    bootstrap: int = 200,
    seed: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Run the step; return its scores and distributions."""
    folder.mkdir(exist_ok=True)
    paths = write(folder, items, said)
    out = folder / "scores.parquet", folder / "distributions.parquet"
    argv = ["--model", model, "--dataset", "lamps", "--items", str(paths.pop("items"))]
    argv += ["--answers", *map(str, paths.values()), "--seed", str(seed)]
    argv += ["--settings", json.dumps({"bootstrap": bootstrap, "vqa": "official"})]
    score_answers.main([*argv, "--scores", str(out[0]), "--distributions", str(out[1])])
    return tuple(pl.read_parquet(path) for path in out)


def examine(
    folder: Path,
    vlm: Vlm,
    items: list[dict],
    orders: int | str = "all",
    conditions: Iterable[str] = CONDITIONS,
    **more,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Let an invented VLM answer, and score it."""
    said = {c: answers(items, vlm, c, orders) for c in conditions}
    return score(folder, items, said, **more)


def values(
    scores: pl.DataFrame, condition: str = "sighted", task: str = "all", column: str = "value"
) -> dict[str, float]:
    """Return one column for a condition and task, by metric."""
    own = scores.filter(condition=condition, task=task)
    return dict(zip(own["metric"], own[column], strict=True))
