"""InstructBLIP: BLIP-2 whose queries also read the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.blip2 import Blip2
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.prompts import Row
from eyechart.models.spans import Tokens, pad


class InstructBlip(Blip2):
    """InstructBlipForConditionalGeneration.

    The connector's output depends on the question, so its scope is ``item`` and the encoder runs
    again for each question.
    """

    MODEL = "InstructBlipForConditionalGeneration"

    def scope(self, component: str) -> str:
        """Return the scope of a component."""
        return "item" if component == "connector" else "image"

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run only the encoder, for its hooks."""
        inputs = self.batch_inputs(images)
        self.model.vision_model(**inputs)
        return [EncodedImage(None, {"pixels": pixels[None]}) for pixels in inputs["pixel_values"]]

    def layout(
        self, component: str, hidden: Any, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out only the queries; in the connector's blocks, the question follows them."""
        if component == "connector":
            hidden = hidden[:, : int(self.model.config.num_query_tokens)]
        return super().layout(component, hidden, images)

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the prompt's tokens for the language model and for the queries."""
        row = super().row(prompt, images)
        question = list(self.processor.qformer_tokenizer(prompt)["input_ids"])
        return replace(row, inputs={**row.inputs, "question": question})

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad both texts on the right; left padding would shift the queries' positions."""
        found = super().tokens(rows, encoded)
        filler = self.processor.qformer_tokenizer.pad_token_id or 0
        ids, valid = pad([row.inputs["question"] for row in rows], filler)
        found.inputs["qformer_input_ids"] = ids.to(self.device)
        found.inputs["qformer_attention_mask"] = valid.long().to(self.device)
        found.inputs["pixel_values"] = torch.cat([s.more["pixels"] for s in encoded])
        return replace(found, encoded=())

    def encoder_output(self, tokens: Tokens) -> Any:
        """Return None: the model encodes the image again."""
        return None


FAMILY = InstructBlip
