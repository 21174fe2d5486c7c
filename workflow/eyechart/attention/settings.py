"""What the config says of tracing attention, and which items it picks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from eyechart.core import randomness
from eyechart.core.errors import UserError, nearest
from eyechart.inference.prompts import PromptStyle
from eyechart.tables.parquet import read_table

NEEDED = ["item_id", "group_split", "group", "images", "prompt", "choices", "answer", "task"]
Item = dict[str, Any]  # a row of items.parquet


@dataclass(frozen=True)
class AttentionSettings:
    """The slice of the config that says what is traced.

    Attributes
    ----------
    items : int
        At most so many items of each task, of the test groups, drawn by seed.
    prompt, choices
        How items are put to the model, as when they are answered; see ``PromptStyle``.
    pictures : int
        Of how many items of each task the attention on every image token is kept, to be drawn.
    top : int
        How many words are kept of each image token; 0 for none.
    """

    items: int
    prompt: str
    choices: str
    pictures: int
    top: int

    def __post_init__(self) -> None:
        for name, least in (("items", 1), ("pictures", 0), ("top", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UserError(f"{name}: {value!r}, expected a whole number of at least {least}")
        self.style()

    def style(self) -> PromptStyle:
        """Give how items are asked: their options in the given order."""
        return PromptStyle(self.prompt, self.choices, 1)


def read_settings(text: str) -> AttentionSettings:
    """Read the ``--settings`` flag; a UserError names a field that is unknown or missing."""
    value = json.loads(text)
    known = [f.name for f in fields(AttentionSettings)]
    for name in sorted(set(value) ^ set(known)):
        what = "missing" if name in known else "unknown"
        raise UserError(f"--settings: {what} field {name!r}; {nearest(name, known)}")
    return AttentionSettings(**value)


def choose_items(path: Path, most: int, seed: int) -> list[Item]:
    """Read the items that are traced, sorted by id.

    Of each task ``most``, drawn by seed, of as many groups as there are: the test groups' items
    that show a picture and have an answer among their choices.

    Raises
    ------
    UserError
        If there is none.
    """
    rows = read_table(path, [*NEEDED, "meta"]).to_pylist()
    asked = [r for r in rows if r["group_split"] == "test" and traceable(r)]
    if not asked:
        raise UserError(
            f"{path}: no item is traced, expected some of test groups with a picture, choices and "
            "an answer among them"
        )
    tasks: dict[str, list[Item]] = {}
    for row in asked:
        tasks.setdefault(row["task"], []).append(row)
    kept = [row for name in tasks for row in drawn(tasks[name], most, seed)]
    return sorted(kept, key=lambda row: str(row["item_id"]))


def traceable(item: Item) -> bool:
    """Say whether an item shows a picture to a model that reads, and has a known right choice."""
    form = json.loads(item["meta"] or "{}").get("form")
    known = item["answer"] in (item["choices"] or []) and len(item["choices"]) > 1
    return bool(item["images"]) and known and form != "which_picture"


def drawn(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """Draw items by seed: the first of every group before the second of any."""
    order = sorted(items, key=lambda i: randomness.seed_for("traced", seed, i["item_id"]))
    turn: Counter[str] = Counter()
    ranked = []
    for place, item in enumerate(order):
        ranked.append((turn[item["group"]], place, item))
        turn[item["group"]] += 1
    return [item for _, _, item in sorted(ranked, key=lambda r: r[:2])[:most]]
