"""What the config says of answering, and which items it picks."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from eyechart.behavior.conditions import Item
from eyechart.core import randomness
from eyechart.core.errors import UserError, nearest
from eyechart.inference.prompts import check_template
from eyechart.tables.parquet import read_table

NEEDED = ["item_id", "group_split", "group", "images", "prompt", "choices", "task", "meta"]
VALUES = {"items": ("test", "all"), "greedy": ("none", "open", "all")}


@dataclass(frozen=True)
class BehaviorSettings:
    """The answering slice of the config.

    Attributes
    ----------
    prompt, choices, orders
        How items are put to a model that reads; see ``Style``.
    items : ``test`` or ``all``
        Whether only items of the test groups are asked.
    most : int or None
        At most so many groups, drawn by seed.
    greedy : ``none``, ``open`` or ``all``
        Which items are answered in words too: open ones have no choices.
    greedy_tokens : int
        The most tokens of such an answer.
    batch_size : int or ``auto``
        Pictures, prompts, or rows of packed prompts in one forward pass.
    statement : str
        The text that an encoder compares a picture with: ``{question}`` and ``{choice}``.
    caption : str
        The same where it says which picture a statement is about: ``{statement}``.
    """

    prompt: str
    choices: str
    orders: int | str
    items: str
    most: int | None
    greedy: str
    greedy_tokens: int
    batch_size: int | str
    statement: str
    caption: str

    def __post_init__(self) -> None:
        for name, valid in VALUES.items():
            if getattr(self, name) not in valid:
                found = getattr(self, name)
                raise UserError(f"{name}: {found!r}; {nearest(found, valid)}")
        check_template("statement", self.statement, ("question", "choice"))
        check_template("caption", self.caption, ("statement",))

    def tells(self, item: Item) -> bool:
        """Say whether an item is answered in words."""
        return self.greedy == "all" or (self.greedy == "open" and not item["choices"])


def read_settings(text: str) -> BehaviorSettings:
    """Read the ``--settings`` flag; a UserError names a field that is unknown or missing."""
    value = json.loads(text)
    known = [f.name for f in fields(BehaviorSettings)]
    for name in sorted(set(value) ^ set(known)):
        what = "missing" if name in known else "unknown"
        raise UserError(f"--settings: {what} field {name!r}; {nearest(name, known)}")
    return BehaviorSettings(**value)


def choose_items(path: Path, settings: BehaviorSettings, seed: int) -> list[Item]:
    """Read the items that are asked, sorted by id; ``form`` is lifted out of their meta."""
    rows = read_table(path, NEEDED).to_pylist()
    rows = [r for r in rows if settings.items == "all" or r["group_split"] == "test"]
    groups = sorted({row["group"] for row in rows})
    if settings.most is not None and settings.most < len(groups):
        kept = set(randomness.dice("answered groups", seed).sample(groups, settings.most))
        rows = [row for row in rows if row["group"] in kept]
    if not rows:
        raise UserError(f"{path}: no item is asked; write items: all, or a larger test_share")
    for row in rows:
        row["form"] = json.loads(row["meta"] or "{}").get("form")
    return sorted(rows, key=lambda row: str(row["item_id"]))
