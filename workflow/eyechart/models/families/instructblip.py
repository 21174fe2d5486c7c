"""InstructBLIP: BLIP-2 whose queries also read the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from eyechart.models.families.base import PreparedImage, Seen
from eyechart.models.families.blip2 import Blip2
from eyechart.models.families.language import Row
from eyechart.models.spans import Tokens, pad


class InstructBlip(Blip2):
    """InstructBlipForConditionalGeneration.

    The connector's output depends on the question, so its scope is ``item``, and the encoder runs
    again with each question.
    """

    MODEL = "InstructBlipForConditionalGeneration"

    def scope(self, region: str) -> str:
        """Return what a component depends on."""
        return "item" if region == "connector" else "image"

    def look(self, pictures: Sequence[PreparedImage]) -> list[Seen]:
        """Run the encoder alone, for its hooks."""
        inputs = self.gather(pictures)
        self.model.vision_model(**inputs)
        return [Seen(None, {"pixels": pixels[None]}) for pixels in inputs["pixel_values"]]

    def layout(
        self, region: str, hidden: Any, pictures: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out queries only: in the connector's blocks the question follows them."""
        if region == "connector":
            hidden = hidden[:, : int(self.model.config.num_query_tokens)]
        return super().layout(region, hidden, pictures)

    def row(self, prompt: str, pictures: Sequence[PreparedImage]) -> Row:
        """Return the prompt's tokens for the language model and for the queries."""
        row = super().row(prompt, pictures)
        asked = list(self.processor.qformer_tokenizer(prompt)["input_ids"])
        return replace(row, inputs={**row.inputs, "asked": asked})

    def tokens(self, rows: Sequence[Row], seen: Sequence[Seen] = ()) -> Tokens:
        """Pad both on the right: left padding would shift the queries' positions."""
        found = super().tokens(rows, seen)
        filler = self.processor.qformer_tokenizer.pad_token_id or 0
        ids, valid = pad([row.inputs["asked"] for row in rows], filler)
        found.inputs["qformer_input_ids"] = ids.to(self.device)
        found.inputs["qformer_attention_mask"] = valid.long().to(self.device)
        found.inputs["pixel_values"] = torch.cat([s.more["pixels"] for s in seen])
        return replace(found, seen=())

    def encoded(self, tokens: Tokens) -> Any:
        """Return None: the model encodes the image again."""
        return None


FAMILY = InstructBlip
