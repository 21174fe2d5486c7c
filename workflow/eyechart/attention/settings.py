"""Settings of the attention stage, and the choice of items."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.inference.prompts import PromptStyle
from eyechart.tables.parquet import read_table

NEEDED = ["item_id", "group_split", "group", "images", "prompt", "choices", "answer", "task"]
Item = dict[str, Any]  # a row of items.parquet


@dataclass(frozen=True)
class AttentionSettings:
    """The attention slice of the config.

    Attributes
    ----------
    items : maximum number of items per task, drawn by seed from the test groups
    prompt, choices
        How items are presented to the model, as in the behavior stage; see ``PromptStyle``.
    images : number of items per task whose attention to every image token is stored for figures
    top : number of words stored per image token; 0 for none
    """

    items: int
    prompt: str
    choices: str
    images: int
    top: int

    def __post_init__(self) -> None:
        for name, least in (("items", 1), ("images", 0), ("top", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UserError(f"{name}: {value!r}, expected a whole number of at least {least}")
        self.style()

    def style(self) -> PromptStyle:
        """Return the prompt style: options in the given order only."""
        return PromptStyle(self.prompt, self.choices, 1)


def choose_items(path: Path, most: int, seed: int) -> list[Item]:
    """Read the items to trace, sorted by id.

    Candidates are items of the test groups with an image and an answer among their choices. Per
    task ``most`` are drawn by seed, spread over as many groups as possible. Raise a UserError if
    there are no candidates.
    """
    rows = read_table(path, [*NEEDED, "meta"]).to_pylist()
    candidates = [r for r in rows if r["group_split"] == "test" and traceable(r)]
    if not candidates:
        raise UserError(
            f"{path}: no item to trace, expected items of test groups with an image, choices and "
            "an answer among them"
        )
    tasks: dict[str, list[Item]] = {}
    for row in candidates:
        tasks.setdefault(row["task"], []).append(row)
    kept = [row for name in tasks for row in drawn(tasks[name], most, seed)]
    return sorted(kept, key=lambda row: str(row["item_id"]))


def first_of_each_task(items: Sequence[Item], most: int) -> set[str]:
    """Return the ids of the first items of each task, at most so many of each."""
    found: dict[str, list[str]] = {}
    for item in items:
        found.setdefault(item["task"], []).append(item["item_id"])
    return {name for own in found.values() for name in own[:most]}


def traceable(item: Item) -> bool:
    """Return whether an item has an image, a known answer, and a form that a VLM can answer."""
    form = json.loads(item["meta"] or "{}").get("form")
    known = item["answer"] in (item["choices"] or []) and len(item["choices"]) > 1
    return bool(item["images"]) and known and form != "which_image"


def drawn(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """Draw items by seed: one of every group before a second one of any."""
    order = sorted(items, key=lambda i: randomness.seed_for("traced", seed, i["item_id"]))
    turn: Counter[str] = Counter()
    ranked = []
    for place, item in enumerate(order):
        ranked.append((turn[item["group"]], place, item))
        turn[item["group"]] += 1
    return [item for _, _, item in sorted(ranked, key=lambda r: r[:2])[:most]]
