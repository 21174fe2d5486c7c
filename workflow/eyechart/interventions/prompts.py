"""Prompts of items as tokens, in parts or in full, and the tokens of each span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.inference import passes
from eyechart.inference.choice_tokens import Script
from eyechart.inference.prefix_cache import Line, lay
from eyechart.interventions.asked import REGIONS, AskedItem
from eyechart.interventions.changes import IMAGE, LAST, PREFIX, QUESTION, REST, WHOLE, Pass
from eyechart.interventions.reader import Reader
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.spans import Tokens

Entry = tuple[int, int]  # indices of an item and of the branch of its choices that follows


@dataclass(frozen=True)
class Prompts:
    """Prompts of items, about their own images or about donors' images."""

    reader: Reader
    asked: Sequence[AskedItem]

    def script(self, whose: str, n: int) -> Script:
        """Return an item's prompt and choices."""
        return self.reader.script(self.asked[n], whose)

    def encoded(self, whose: str, rows: Sequence[int]) -> list[list[EncodedImage]]:
        """Return the language model's input for the images of some items."""
        return [self.reader.encoded(self.asked[n].shown[whose]) for n in rows]

    def start(self, whose: str, n: int) -> Row:
        """Return the part of an item's prompt up to its last image token."""
        name = str(self.asked[n].item["item_id"])
        return passes.shared_prefix(self.reader.adapter, [self.script(whose, n).row], name)

    def prefix(self, whose: str, rows: Sequence[int]) -> tuple[list[Row], Pass]:
        """Return the prefixes of some items' prompts."""
        starts = [self.start(whose, n) for n in rows]
        tokens = self._tokens(whose, rows, starts)
        return starts, self._pass(PREFIX, whose, rows, tokens)

    def rest(self, whose: str) -> tuple[list[Line], Pass]:
        """Return the tokens after the prefixes of all prompts."""
        rows = range(len(self.asked))
        starts, before = self.prefix(whose, rows)
        scripts = [self.script(whose, n) for n in rows]
        lines: list[Line] = [
            [(s, s.row.ids[len(start.ids) :])] for s, start in zip(scripts, starts, strict=True)
        ]
        bed = lay(lines, self.reader.adapter.device)
        t, valid = bed.owner.shape[1], bed.owner >= 0
        nothing = torch.zeros_like(valid)
        ends = torch.tensor([place.end for place in bed.places], device=valid.device)[:, None]
        last = valid & (torch.arange(t, device=valid.device) >= ends)
        own = {QUESTION: valid & ~last, LAST: last}
        spans = {
            span: torch.cat([mask, own.get(span, nothing)], dim=1)
            for span, mask in before.spans.items()
        }
        return lines, Pass(REST, whose, rows, spans, torch.cat([before.image, nothing], dim=1), t)

    def entries(self, whose: str) -> list[Entry]:
        """Return every item with each branch of its choices."""
        rows = range(len(self.asked))
        return [(n, k) for n in rows for k in range(len(self.script(whose, n).branches))]

    def whole(self, whose: str, entries: Sequence[Entry]) -> Pass:
        """Return whole prompts, each with a branch of its choices."""
        scripts = [self.script(whose, n) for n, _ in entries]
        begun = [s.branches[k] for s, (_, k) in zip(scripts, entries, strict=True)]
        decodes = any(a.startswith("decoder.") for a in self.reader.adapter.addresses())
        prompts = [
            s.row if decodes else replace(s.row, ids=[*s.row.ids, *b])
            for s, b in zip(scripts, begun, strict=True)
        ]
        rows = [n for n, _ in entries]
        tokens = self._tokens(whose, rows, prompts)
        ends = None if decodes else [len(s.row.ids) - 1 for s in scripts]
        decoded = 1 + max(map(len, begun)) if decodes else 0
        return self._pass(WHOLE, whose, rows, tokens, ends, decoded)

    def _tokens(self, whose: str, rows: Sequence[int], prompts: Sequence[Row]) -> Tokens:
        encoded = [one for own in self.encoded(whose, rows) for one in own]
        return self.reader.adapter.tokens(prompts, encoded)

    def _pass(
        self,
        part: str,
        whose: str,
        rows: Sequence[int],
        tokens: Tokens,
        ends: Sequence[int] | None = None,
        decoded: int = 0,
    ) -> Pass:
        regions = region_masks([self.asked[n] for n in rows], tokens.image, whose)
        spans = span_masks(self.reader.adapter, tokens, ends) | regions
        return Pass(part, whose, rows, spans, tokens.image, tokens.ids.shape[1], decoded)


def span_masks(
    adapter: LanguageAdapter, tokens: Tokens, ends: Sequence[int] | None = None
) -> dict[str, Tensor]:
    """Return the masks (b, t) of spans; ``ends`` are the answer positions, if any.

    Everything from the first image token to the last belongs to the image, including line ends,
    since later tokens also attend to these.
    """
    where, (b, t) = tokens.ids.device, tokens.ids.shape
    place = torch.arange(t, device=where)
    marks = torch.tensor(sorted(adapter.image_marker_ids()), device=where)
    marked = (torch.isin(tokens.ids, marks) | tokens.image) & tokens.valid
    first = torch.where(marked, place, t).amin(dim=1, keepdim=True)
    final = torch.where(marked, place, -1).amax(dim=1, keepdim=True)
    image = (first <= place) & (place <= final) & tokens.image.any(dim=1, keepdim=True)
    starts = torch.tensor([t] * b if ends is None else ends, device=where)[:, None]
    last = tokens.valid & (place >= starts)
    text = place > final if adapter.spec.image_first else ~image
    return {IMAGE: image, LAST: last, QUESTION: tokens.valid & text & ~last}


def region_masks(asked: Sequence[AskedItem], image: Tensor, whose: str) -> dict[str, Tensor]:
    """Return the masks (b, t) of the regions of each row's item, given its image tokens (b, t).

    Raise a UserError if a row's numbers of image tokens and known positions differ.
    """
    found = {span: torch.zeros_like(image) for span in REGIONS}
    for row, one in enumerate(asked):
        for span, region in one.regions.get(whose, {}).items():
            if len(region.flags) != int(image[row].sum()):
                raise UserError(
                    f"item {one.item['item_id']!r}: the prompt has {int(image[row].sum())} image "
                    f"tokens, but {len(region.flags)} positions are known"
                )
            found[span][row, image[row]] = torch.from_numpy(region.flags).to(image.device)
    return found
