"""What is done with each item that is traced, and what a model cannot give, said once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from eyechart.attention import lens
from eyechart.attention.regions import Mark, of_picture
from eyechart.attention.rows import Share, Tables
from eyechart.attention.settings import AttentionSettings, Item
from eyechart.attention.trace import Trace, Tracer, check_places
from eyechart.data.open_image import open_image
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.unembedding import head_of
from eyechart.tables.attention import ATTENTION, LENS, MAPS, WORDS
from eyechart.tables.token_boxes import coverage

logger = logging.getLogger(__name__)

SCHEMAS = {"attention": ATTENTION, "lens": LENS, "words": WORDS, "maps": MAPS}
SHORT = 6  # addresses that a note lists


class ItemTracer:
    """Traces items one by one, and says once what a model cannot give."""

    def __init__(
        self,
        adapter: LanguageAdapter,
        settings: AttentionSettings,
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
        images = [open_image(Path(self.paths[image])) for image in item["images"]]
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
