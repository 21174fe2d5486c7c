"""Trace items one by one, and report unsupported features of a model once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from eyechart.attention import lens
from eyechart.attention.rows import Share, Tables
from eyechart.attention.settings import AttentionSettings
from eyechart.attention.trace import Trace, Tracer, check_places
from eyechart.data.open_image import open_image
from eyechart.inference.chosen_items import Item
from eyechart.inference.marks import Mark, of_image
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.unembedding import head_of
from eyechart.tables.attention import ATTENTION, LENS, MAPS, WORDS
from eyechart.tables.notes import count_notes
from eyechart.tables.token_boxes import coverage

logger = logging.getLogger(__name__)

SCHEMAS = {"attention": ATTENTION, "lens": LENS, "words": WORDS, "maps": MAPS}
SHORT = 6  # maximum number of addresses listed in a note


class ItemTracer:
    """A tracer of single items that reports a model's unsupported features once."""

    def __init__(
        self,
        adapter: LanguageAdapter,
        settings: AttentionSettings,
        paths: Mapping[str, str],
        tables: Tables,
        refused: str = "",
        mapped: Collection[str] | None = None,
    ) -> None:
        self.adapter, self.settings, self.paths, self.tables = adapter, settings, paths, tables
        self.tracer = Tracer(adapter, settings)
        self.reasons = dict.fromkeys(SCHEMAS, "")
        self.notes: dict[str, Counter[str]] = {name: Counter() for name in SCHEMAS}
        self.mapped = mapped
        self.checked = False
        try:
            self.head = head_of(adapter)
        except LookupError as error:
            self.cannot(("lens", "words"), str(error))
        if refused:
            self.cannot(("attention", "maps"), refused)
        if self.tracer.component == "decoder":
            self.cannot(("words",), "the answer comes from a decoder without image tokens")

    def cannot(self, names: Sequence[str], why: str) -> None:
        """Record in the log, and in the notes of the given tables, why these have no rows."""
        for name in names:
            self.reasons[name] = self.reasons[name] or why
        logger.warning("no rows of %s: %s", " and ".join(names), why)

    def note(self, name: str, what: str, count: int = 1) -> None:
        """Count a problem with an item in a table's notes; a count of 0 marks one of the model."""
        self.notes[name][what] += count

    def trace_item(self, item: Item, marks: Sequence[Mark]) -> None:
        """Trace an item and add its rows; ``marks`` are its own and another item's regions."""
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
        """Check with the first item's trace which tables the model supports."""
        self.checked = True
        family = self.adapter.spec.family
        if not trace.image.any():
            why = f"prompts of family {family} have no image tokens"
            self.cannot(("attention", "maps", "words"), why)
        elif not trace.weights and not self.reasons["attention"]:
            why = f"no block of family {family} returns attention weights"
            self.cannot(("attention", "maps"), why)
        without = [a for a in self.tracer.blocks if a not in trace.weights]
        if not self.reasons["attention"] and without:
            named = ", ".join(without[:SHORT]) + (", …" if len(without) > SHORT else "")
            what = f"{len(without)} blocks return no attention weights ({named})"
            self.note("attention", what, 0)
            logger.warning("%s", what)
        if not self.reasons["lens"] and (why := lens.fault(self.head, trace)):
            self.cannot(("lens", "words"), why)

    def covered(
        self, item: Item, images: Sequence[Image.Image], trace: Trace, marks: Sequence[Mark]
    ) -> tuple[list[Share], list[np.ndarray]]:
        """Return each mark's coverage of the image tokens, and the tokens' boxes per image."""
        if not trace.image.any() or (self.tracer.component == "decoder" and not trace.weights):
            return [], []
        places = self.tracer.token_boxes(images)
        check_places(item["item_id"], trace.image, places)
        counts = [len(p) for p in places]
        if np.isnan(np.concatenate(places)[:, 3]).all():
            self.note("attention", "image tokens have no position in the image: no region rows")
            return [], places
        shares: list[Share] = []
        for mark in marks:
            own = of_image(mark.number, counts, coverage(places[mark.number], mark.region))
            if own.any():
                shares.append((mark, own))
            else:
                self.note("attention", "a region outside the model's view was left out")
        return shares, places

    def add_attention(
        self, item: Item, trace: Trace, shares: Sequence[Share], places: Sequence[np.ndarray]
    ) -> None:
        """Add an item's rows of attention and, if it is chosen for figures, its maps."""
        weights = {address: own.numpy() for address, own in trace.weights.items()}
        self.tables.add_attention(item, weights, trace.image, shares)
        if self.mapped is None or item["item_id"] in self.mapped:
            self.tables.add_maps(item, weights, trace.image, places)

    def add_lens(self, item: Item, trace: Trace, shares: Sequence[Share]) -> None:
        """Add the logit lens at the answer position and at the image tokens."""
        if trace.words is None:
            what = "the next token does not distinguish the choices: no rows of the item"
            self.note("lens", what)
            logger.warning("item %r: %s", item["item_id"], what)
            return
        addresses = list(self.tracer.blocks)
        predictions = lens.at_answer(self.head, trace)
        self.tables.add_lens(item, addresses, predictions, [self.text(i) for i in predictions.top])
        if self.reasons["words"]:
            return
        read = lens.at_tokens(self.head, trace, trace.words, self.settings.top)
        self.tables.add_token_predictions(item, addresses, read, shares)
        if self.settings.top:
            texts = {i: self.text(i) for i in np.unique(read.top).tolist()}
            self.tables.add_words(item, addresses, read, texts)

    def text(self, token: int) -> str:
        """Return a token as text, with its leading space."""
        return str(self.adapter.tokenizer.decode([token]))

    def notes_of(self, name: str) -> dict[str, str]:
        """Return the notes of a table."""
        return count_notes(self.reasons[name], self.notes[name])
