"""Settings of the behavior stage, and the choice of items."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from eyechart.behavior.conditions import Item
from eyechart.core import randomness
from eyechart.core.errors import UserError, nearest
from eyechart.core.step import Json, Paths
from eyechart.inference.prompts import PromptStyle, check_template
from eyechart.tables.choice_scoring import LETTER
from eyechart.tables.looks import as_metadata, plan_looks, undecided
from eyechart.tables.parquet import read_table

NEEDED = [
    "item_id",
    "group_split",
    "group",
    "images",
    "prompt",
    "choices",
    "answer",
    "task",
    "meta",
]
VALUES = {
    "scoring": ("sum", "mean", "pmi", "letter"),
    "items": ("test", "all"),
    "greedy": ("none", "open", "all"),
}


@dataclass(frozen=True)
class ResponseSettings:
    """The config section ``behavior``.

    Attributes
    ----------
    prompt, orders
        How items are presented to a model that reads text; see ``PromptStyle``.
    scoring : ``sum``, ``mean``, ``pmi`` or ``letter``
        How choices are compared; see ``tables.choice_scoring``. ``letter`` scores their letters.
    items : ``test`` or ``all``
        Whether to ask only items of the test groups.
    most : maximum number of groups, sampled with the seed
    greedy : ``none``, ``open`` or ``all``
        Which items also get a generated answer; open items are those without choices.
    greedy_tokens : maximum number of tokens of a generated answer
    batch_size : int or ``auto``; images, prompts, or rows of packed prompts per forward pass
    statement : template of the text that an encoder compares with an image: ``{question}``,
        ``{choice}``
    caption : the same for items that ask which image a statement is about: ``{statement}``
    """

    prompt: str
    scoring: str
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

    @property
    def style(self) -> PromptStyle:
        """Return how items are presented to a model that reads text."""
        return PromptStyle(self.prompt, "letter" if self.scoring == LETTER else "text", self.orders)

    def wants_text(self, item: Item) -> bool:
        """Return whether an item gets a generated answer."""
        return self.greedy == "all" or (self.greedy == "open" and not item["choices"])


def choose_items(path: Path, settings: ResponseSettings, seed: int) -> list[Item]:
    """Read the items to ask, sorted by id, with ``form`` copied from their meta."""
    rows = read_table(path, NEEDED).to_pylist()
    rows = [r for r in rows if settings.items == "all" or r["group_split"] == "test"]
    groups = sorted({row["group"] for row in rows})
    if settings.most is not None and settings.most < len(groups):
        kept = set(randomness.dice("answered groups", seed).sample(groups, settings.most))
        rows = [row for row in rows if row["group"] in kept]
    if not rows:
        raise UserError(
            f"{path}: no item would be answered; write behavior.items: all, or a larger test_share"
        )
    for row in rows:
        row["form"] = json.loads(row["meta"] or "{}").get("form")
    return sorted(rows, key=lambda row: str(row["item_id"]))


@dataclass(frozen=True)
class PartFlags:
    """The flags of a job's part of the items: its number, and the number of parts."""

    part: int
    parts: int

    def own(self, asked: list[Item]) -> list[Item]:
        """Return this part's items; items about the same images stay together."""
        shown = sorted({tuple(item["images"]) for item in asked})
        start, end = (n * len(shown) // self.parts for n in (self.part, self.part + 1))
        mine = set(shown[start:end])
        return [item for item in asked if tuple(item["images"]) in mine]


@dataclass(frozen=True)
class LookFlags:
    """The flags for answering items in steps; without looks, all are answered at once."""

    looks: Annotated[Json, {"help": 'items per task up to each look: {"counts": […], "look": 2}'}]
    so_far: Annotated[Paths, {"help": "the tables of the look before, in the order of --outputs"}]
    decided: Annotated[Paths, {"help": "the classes of the look before"}]

    def choose(
        self, asked: list[Item], dataset: str, seed: int
    ) -> tuple[list[Item], dict[bytes, str]]:
        """Return the undecided items of this look, and the metadata of its tables.

        Without looks, these are all items and no metadata.
        """
        if not self.looks:
            return asked, {}
        look_of, planned = plan_looks(asked, self.looks["counts"], seed)
        now = [i for i in asked if look_of.get(i["item_id"]) == self.looks["look"] - 1]
        for path in self.decided:
            tasks = undecided(path, dataset)
            now = [item for item in now if item["task"] in tasks]
        return now, as_metadata(planned)
