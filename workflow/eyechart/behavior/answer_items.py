"""Put a dataset's questions to a model, under each condition that is asked for.

Reads the model's checkpoint and card and the dataset's two tables; writes one table per condition,
which the file is named for: ``sighted``, ``blank``, ``noise``, ``swapped`` or ``no_image``. The
model is loaded once. A model that reads gives the log-probability of every choice after the prompt,
and greedy text; an encoder with a text tower compares its picture with a text made of each choice.

    python -m eyechart.behavior.answer_items --model tiny_llava --dataset clevr \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --card results/models/tiny_llava/card.json \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet --seed 7 \
        --settings '{"prompt": "{question}", "choices": "text", "orders": 1, "items": "test", \
            "most": null, "greedy": "none", "greedy_tokens": 16, "batch_size": 64, \
            "statement": "{question} {choice}", "caption": "a photo of {statement}"}' \
        --outputs results/answers/tiny_llava/clevr/sighted.parquet \
            results/answers/tiny_llava/clevr/blank.parquet
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from eyechart import errors, randomness
from eyechart.behavior import towers
from eyechart.behavior.asking import Style, check_template, parse
from eyechart.behavior.conditions import Item, Showing
from eyechart.behavior.reader import Asked, Reader
from eyechart.behavior.scripts import Said
from eyechart.extraction.batches import Batches
from eyechart.models.families.base import Adapter
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load import load
from eyechart.models.loading import add_flags, read_flags
from eyechart.models.spec import read_spec
from eyechart.tables.answers import ANSWERS
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.files import read_json
from eyechart.tables.parquet import read_table, write_table

logger = logging.getLogger(__name__)

NEEDED = ["item_id", "group_split", "group", "images", "prompt", "choices", "task", "meta"]
VALUES = {"items": ("test", "all"), "greedy": ("none", "open", "all")}


@dataclass(frozen=True)
class Settings:
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
                raise errors.UserError(f"{name}: {found!r}; {errors.nearest(found, valid)}")
        check_template("statement", self.statement, ("question", "choice"))
        check_template("caption", self.caption, ("statement",))

    def tells(self, item: Item) -> bool:
        """Say whether an item is answered in words."""
        return self.greedy == "all" or (self.greedy == "open" and not item["choices"])


def read_settings(text: str) -> Settings:
    """Read the ``--settings`` flag; a UserError names a field that is unknown or missing."""
    value = json.loads(text)
    known = [f.name for f in fields(Settings)]
    for name in sorted(set(value) ^ set(known)):
        what = "missing" if name in known else "unknown"
        raise errors.UserError(f"--settings: {what} field {name!r}; {errors.nearest(name, known)}")
    return Settings(**value)


def choose_items(path: Path, settings: Settings, seed: int) -> list[Item]:
    """Read the items that are asked, sorted by id; ``form`` is lifted out of their meta."""
    rows = read_table(path, NEEDED).to_pylist()
    rows = [r for r in rows if settings.items == "all" or r["group_split"] == "test"]
    groups = sorted({row["group"] for row in rows})
    if settings.most is not None and settings.most < len(groups):
        kept = set(randomness.dice("answered groups", seed).sample(groups, settings.most))
        rows = [row for row in rows if row["group"] in kept]
    if not rows:
        raise errors.UserError(
            f"{path}: no item is asked; write items: all, or a larger test_share"
        )
    for row in rows:
        row["form"] = json.loads(row["meta"] or "{}").get("form")
    return sorted(rows, key=lambda row: str(row["item_id"]))


class Examiner:
    """Asks one model all items, condition by condition."""

    def __init__(
        self, adapter: Adapter, shares_prefix: bool, settings: Settings, showing: Showing
    ) -> None:
        self.adapter, self.shares_prefix = adapter, shares_prefix
        self.settings, self.showing = settings, showing
        self.batches = Batches(settings.batch_size, "answers.batch_size")

    def rows(self, condition: str) -> list[dict[str, Any]]:
        """Give the rows of a condition, sorted; none where the model cannot meet it."""
        if condition == "no_image" and not getattr(self.adapter, "TEXT_ALONE", False):
            family = self.adapter.spec.family
            logger.warning("%s: no rows, as family %s reads no prompt alone", condition, family)
            return []
        if isinstance(self.adapter, LanguageAdapter):
            rows = list(self._read(self.adapter, condition))
        else:
            rows = list(self._compare(towers.two_towers(self.adapter), condition))
        return sorted(rows, key=lambda row: (row["item_id"], row["order"]))

    def _read(self, adapter: LanguageAdapter, condition: str) -> Iterator[dict[str, Any]]:
        settings = self.settings
        style = Style(settings.prompt, settings.choices, settings.orders)
        for item in self.showing.items:
            if item["form"] == "which_picture":
                raise errors.UserError(
                    f"item {item['item_id']!r} asks which picture a statement is about, which only "
                    "an encoder with a text tower is asked; leave the dataset out for this model"
                )
        shown = self.showing.sights(condition)
        plan = [
            (item, asking, sights, images)
            for item, (sights, images) in zip(self.showing.items, shown, strict=True)
            for asking in style.ask(item)
        ]
        asked = [
            Asked(n, sights, asking.prompt, asking.scored, settings.tells(item))
            for n, (item, asking, sights, _) in enumerate(plan)
        ]
        reader = Reader(adapter, self.shares_prefix, settings.greedy_tokens, self.batches)
        bar = tqdm(total=len(asked), unit=" prompts", desc=condition, mininterval=1.0)
        for done in reader.run(asked):
            bar.update(len(done))
            for number, said in done:
                item, asking, _, images = plan[number]
                letters = asking.letters if settings.choices == "letter" else None
                yield row_of(item, asking.order, images, asking.prompt, said, letters)
        bar.close()

    def _compare(self, adapter: towers.TwoTowers, condition: str) -> Iterator[dict[str, Any]]:
        statement, caption = self.settings.statement, self.settings.caption
        shown = self.showing.sights(condition)
        items = self.showing.items
        matches = [
            towers.Match.of(item, item["form"], sights, statement, caption)
            for item, (sights, _) in zip(items, shown, strict=True)
        ]
        found = towers.answer(adapter, matches, self.batches)
        for item, (_, images), said in zip(items, shown, found, strict=True):
            text = (
                caption.format(statement=item["prompt"])
                if item["form"] == "which_picture"
                else statement.format(question=item["prompt"], choice="{choice}")
            )
            yield row_of(item, 0, images, text, said, None)


def row_of(
    item: Item,
    order: int,
    images: Sequence[str],
    prompt: str,
    said: Said,
    letters: Sequence[str] | None,
) -> dict[str, Any]:
    """Give the columns of an answer that do not say whose it is.

    Raises
    ------
    UserError
        If a log-probability is not finite.
    """
    choices, scores = item["choices"], said.log_probability
    if not all(-float("inf") < score < float("inf") for score in scores):
        raise errors.UserError(
            f"item {item['item_id']!r}: the model gives NaN or infinity; try loading.dtype: float32"
        )
    mean = [score / count for score, count in zip(scores, said.tokens, strict=True)]
    return {
        "item_id": item["item_id"],
        "order": order,
        "shown": list(images),
        "prompt": prompt,
        "log_probability": scores,
        "tokens": said.tokens,
        "predicted": choices[scores.index(max(scores))] if scores else None,
        "predicted_mean": choices[mean.index(max(mean))] if mean else None,
        "text": said.text,
        "parsed": None if said.text is None else parse(said.text, choices, letters),
    }


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the flags; all but those of loading are required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("model", "dataset", "settings"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("spec", "checkpoint", "card", "items", "images"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--outputs", type=Path, nargs="+", required=True)
    add_flags(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Write one table per condition."""
    args = parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    settings = read_settings(args.settings)
    for path in args.outputs:
        if path.stem not in CONDITIONS:
            raise errors.UserError(f"--outputs: {path}; {errors.nearest(path.stem, CONDITIONS)}")
    items = choose_items(args.items, settings, args.seed)
    images = read_table(args.images, ["image_id", "path"])
    paths = dict(zip(*(images.column(n).to_pylist() for n in ("image_id", "path")), strict=True))
    adapter = load(read_spec(args.spec), args.checkpoint, read_flags(args))
    showing = Showing(items, paths, args.seed)
    examiner = Examiner(adapter, read_json(args.card)["shares_prefix"], settings, showing)
    for path in args.outputs:
        whose = {"model": args.model, "dataset": args.dataset, "condition": path.stem}
        rows = [{**whose, **row} for row in examiner.rows(path.stem)]
        write_table(path, pa.Table.from_pylist(rows, ANSWERS))


if __name__ == "__main__":
    errors.run(main)
