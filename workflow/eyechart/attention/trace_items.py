"""Trace where a model looks when it answers, and from which block on it knows what it will say.

Reads a model's checkpoint, a dataset's tables and, where it has some, its regions; writes
``attention.parquet`` under the name given, and ``lens``, ``words`` and ``maps`` beside it. The
model is loaded once, with attention computed step by step (``eager``), and shown each item as when
it answers. A family that gives no attention weights, or no scores behind its blocks, gets a table
without rows that says why.

    python -m eyechart.attention.trace_items --model tiny_llava --dataset depth \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --items results/datasets/depth/items.parquet \
        --images results/datasets/depth/images.parquet \
        --regions results/datasets/depth/regions.parquet --seed 7 \
        --settings '{"items": 24, "prompt": "{question}", "choices": "text", \
            "pictures": 2, "top": 1}' \
        --output results/attention/tiny_llava/depth/attention.parquet
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from eyechart import errors
from eyechart.attention import lens
from eyechart.attention.collect import Share, Tables
from eyechart.attention.marked import (
    Mark,
    check_inside,
    coverage,
    marks_of,
    moved,
    of_picture,
    partners,
)
from eyechart.attention.settings import Item, Settings, choose_items, read_settings
from eyechart.attention.trace import Trace, Tracer, check_places
from eyechart.attention.watch import ask_for_weights
from eyechart.extraction.open_picture import open_picture, size_of
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.heads import head_of
from eyechart.models.load import load
from eyechart.models.loading import Loading, add_flags, read_flags
from eyechart.models.spec import Spec, read_spec
from eyechart.tables.attention import ATTENTION, LENS, MAPS, WORDS, write_noted
from eyechart.tables.parquet import read_table

logger = logging.getLogger(__name__)

SCHEMAS = {"attention": ATTENTION, "lens": LENS, "words": WORDS, "maps": MAPS}
SHORT = 6  # addresses that a note lists


class Examiner:
    """Traces items one by one, and says once what a model cannot give."""

    def __init__(
        self,
        adapter: LanguageAdapter,
        settings: Settings,
        paths: Mapping[str, str],
        tables: Tables,
        refused: str = "",
    ) -> None:
        self.adapter, self.settings, self.paths, self.tables = adapter, settings, paths, tables
        self.tracer = Tracer(adapter, settings)
        self.reasons = dict.fromkeys(SCHEMAS, "")
        self.notes: dict[str, Counter[str]] = {name: Counter() for name in SCHEMAS}
        self.shown: Counter[str] = Counter()
        self.checked = False
        try:
            self.head = head_of(adapter)
        except LookupError as error:
            self.cannot(("lens", "words"), str(error))
        if refused:
            self.cannot(("attention", "maps"), refused)
        if self.tracer.region == "decoder":
            self.cannot(("words",), "a decoder writes the answer, and it reads no image tokens")

    def cannot(self, names: Sequence[str], why: str) -> None:
        """Say why tables have no rows, in the log and in their notes."""
        for name in names:
            self.reasons[name] = self.reasons[name] or why
        logger.warning("no rows of %s: %s", " and ".join(names), why)

    def note(self, name: str, what: str) -> None:
        """Count what some items lack."""
        self.notes[name][what] += 1

    def examine(self, item: Item, marks: Sequence[Mark]) -> None:
        """Trace one item, with its own marks and those of another, on its own pictures."""
        images = [open_picture(Path(self.paths[image])) for image in item["images"]]
        found = self.tracer.trace(item, images, weights=not self.reasons["attention"])
        if not self.checked:
            self.check(found)
        shares, places = self.covered(item, images, found, marks)
        if not self.reasons["attention"]:
            self.add_attention(item, found, shares, places)
        if not self.reasons["lens"]:
            self.add_lens(item, found, shares)

    def check(self, trace: Trace) -> None:
        """See on the first item what the model gives."""
        self.checked = True
        family = self.adapter.spec.family
        if not trace.image.any():
            why = f"no token of a prompt of family {family} stands for the picture"
            self.cannot(("attention", "maps", "words"), why)
        elif not trace.weights and not self.reasons["attention"]:
            why = f"no block of family {family} gives attention weights"
            self.cannot(("attention", "maps"), why)
        without = [a for a in self.tracer.blocks if a not in trace.weights]
        if not self.reasons["attention"] and without:
            named = ", ".join(without[:SHORT]) + (", …" if len(without) > SHORT else "")
            what = f"{len(without)} blocks give no attention weights ({named})"
            self.note("attention", what)
            logger.warning("%s", what)
        if not self.reasons["lens"] and (why := lens.fault(self.head, trace)):
            self.cannot(("lens", "words"), why)

    def covered(
        self, item: Item, images: Sequence[Image.Image], trace: Trace, marks: Sequence[Mark]
    ) -> tuple[list[Share], list[np.ndarray]]:
        """Give what each mark covers of the image tokens, and where those lie."""
        if not trace.image.any() or (self.tracer.region == "decoder" and not trace.weights):
            return [], []
        places = self.tracer.places(images)
        check_places(item["item_id"], trace.image, places)
        counts = [len(p) for p in places]
        if np.isnan(np.concatenate(places)[:, 3]).all():
            self.note("attention", "image tokens lie nowhere in the picture: no rows of regions")
            return [], places
        shares: list[Share] = []
        for mark in marks:
            own = of_picture(mark.number, counts, coverage(places[mark.number], mark.region))
            if own.any():
                shares.append((mark, own))
            else:
                self.note("attention", "a region lies where the model sees nothing: left out")
        return shares, places

    def add_attention(
        self, item: Item, trace: Trace, shares: Sequence[Share], places: Sequence[np.ndarray]
    ) -> None:
        """Add the rows of attention, and of the first items of each task the maps."""
        weights = {address: own.numpy() for address, own in trace.weights.items()}
        self.tables.add_attention(item, weights, trace.image, shares)
        if self.shown[item["task"]] < self.settings.pictures:
            self.shown[item["task"]] += 1
            self.tables.add_maps(item, weights, trace.image, places)

    def add_lens(self, item: Item, trace: Trace, shares: Sequence[Share]) -> None:
        """Add what each block would say, at the answer position and at the image tokens."""
        if trace.words is None:
            what = "choices that go on alike behind their common beginning: no rows of the item"
            self.note("lens", what)
            logger.warning("item %r: %s", item["item_id"], what)
            return
        addresses = list(self.tracer.blocks)
        said = lens.at_answer(self.head, trace)
        self.tables.add_lens(item, addresses, said, [self.text(i) for i in said.top])
        if self.reasons["words"]:
            return
        read = lens.at_tokens(self.head, trace, trace.words, self.settings.top)
        self.tables.add_read(item, addresses, read, shares)
        if self.settings.top:
            texts = {i: self.text(i) for i in np.unique(read.top).tolist()}
            self.tables.add_words(item, addresses, read, texts)

    def text(self, token: int) -> str:
        """Give a token as text; a space before it is kept."""
        return str(self.adapter.tokenizer.decode([token]))

    def told(self, name: str) -> dict[str, str]:
        """Give the notes of a table."""
        counted = [f"{what} ({count} x)" for what, count in self.notes[name].items()]
        return {"reason": self.reasons[name], "note": "; ".join(counted)}


def marks_by_item(
    items: Sequence[Item], regions: Path | None, paths: Mapping[str, str], seed: int
) -> dict[str, list[Mark]]:
    """Give each item's marks, and those of another of its task moved onto its pictures.

    Raises
    ------
    UserError
        If a region does not lie on its picture.
    """
    own = marks_of(regions, items)
    marked = [item for item in items if own[item["item_id"]]]
    sizes = {i["item_id"]: [size_of(Path(paths[p])) for p in i["images"]] for i in marked}
    found = {item["item_id"]: [m for _, m in own[item["item_id"]]] for item in items}
    for name, marks in found.items():
        for mark in marks:
            check_inside(mark, sizes[name], name)
    controls = {
        name: [moved(m, sizes[other], sizes[name]) for _, m in own[other]]
        for name, other in partners(marked, seed).items()
    }
    return {name: [*marks, *controls.get(name, [])] for name, marks in found.items()}


def load_eager(spec: Spec, checkpoint: Path, loading: Loading) -> tuple[LanguageAdapter, str]:
    """Load a model whose attention is computed step by step, or as it will and why not so.

    Raises
    ------
    UserError
        If it cannot be loaded at all, or has no language model.
    """
    refused = ""
    try:
        adapter = load(spec, checkpoint, replace(loading, attention="eager"))
    except (errors.UserError, ValueError, ImportError, TypeError) as error:
        adapter = load(spec, checkpoint, loading)  # what is wrong with both is raised here
        refused = f"family {spec.family} refuses eager attention ({' '.join(str(error).split())})"
    if not isinstance(adapter, LanguageAdapter):
        raise errors.UserError(
            f"{spec.checkpoint}: family {spec.family} has no language model, expected a VLM"
        )
    if spec.trust_remote_code and not refused:
        ask_for_weights(adapter)
    return adapter, refused


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the flags; all but those of loading are required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("model", "dataset", "settings"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("spec", "checkpoint", "items", "images", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--regions", type=Path, required=True, nargs="*", help="one, or nothing")
    parser.add_argument("--seed", type=int, required=True)
    add_flags(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Write the four tables."""
    args = parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    settings = read_settings(args.settings)
    items = choose_items(args.items, settings.items, args.seed)
    images = read_table(args.images, ["image_id", "path"])
    paths = dict(zip(*(images.column(n).to_pylist() for n in ("image_id", "path")), strict=True))
    for name in {image for item in items for image in item["images"]} - set(paths):
        raise errors.UserError(f"items: picture {name!r} is not in the picture table")
    marks = marks_by_item(items, next(iter(args.regions), None), paths, args.seed)
    adapter, refused = load_eager(read_spec(args.spec), args.checkpoint, read_flags(args))
    tables = Tables(args.model, args.dataset)
    examiner = Examiner(adapter, settings, paths, tables, refused)
    for item in tqdm(items, unit=" items", mininterval=1.0):
        examiner.examine(item, marks[item["item_id"]])
    for name, schema in SCHEMAS.items():
        for what, count in examiner.notes[name].items():
            logger.info("%s: %s (%d x)", name, what, count)
        path = args.output.with_name(f"{name}{args.output.suffix}")
        write_noted(path, tables.whole(name, schema), examiner.told(name))


if __name__ == "__main__":
    errors.run(main)
