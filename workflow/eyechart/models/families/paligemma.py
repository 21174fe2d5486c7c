"""PaliGemma: attention is bidirectional within image and prompt, and causal in the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.llava import Llava
from eyechart.models.families.prompts import Row
from eyechart.models.spans import Tokens


class PaliGemma(Llava):
    """PaliGemmaForConditionalGeneration.

    Image tokens depend on the question, so no prefix is shared.
    """

    BATCHED = True
    CAUSAL = False
    ACCEPTS_TEXT_ONLY = False
    FEATURES_AS_LIST = False

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the prompt as the processor builds it: images, start of text, prompt, newline."""
        self.check_number(prompt, len(images))
        text = "".join(p.text for p in images) + self.tokenizer.bos_token + prompt + "\n"
        row = Row(self.plain_ids(text))
        self.check_length(prompt, len(row.ids))
        return replace(row, inputs={"prompt": len(row.ids)})

    def longer(self, row: Row, at: int, ids: Sequence[int]) -> Row:
        """Return a prompt with more tokens, which belong to the prompt and not to the answer."""
        found = super().longer(row, at, ids)
        return replace(found, inputs={"prompt": len(found.ids)})

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts, and give prompt tokens type 0 and answer tokens type 1."""
        found = super().tokens(rows, encoded)
        ends = torch.tensor([row.inputs["prompt"] for row in rows], device=self.device)
        places = torch.arange(found.ids.shape[1], device=self.device)
        types = (places >= ends[:, None]) & found.valid
        return replace(found, inputs={"token_type_ids": types.long()})


FAMILY = PaliGemma
