"""Gemma 3: image tokens see one another; most blocks of the language model see a window only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt

import numpy as np

from eyechart.models.families.base import PreparedImage, Seen, square
from eyechart.models.families.language import Row
from eyechart.models.families.llava import Llava
from eyechart.models.spans import Tokens


class Gemma3(Llava):
    """Gemma3ForConditionalGeneration."""

    LISTED = False

    @property
    def mark(self) -> str:
        """What a chat template writes for a picture."""
        return str(self.processor.boi_token)

    def tokens(self, rows: Sequence[Row], seen: Sequence[Seen] = ()) -> Tokens:
        """Say which tokens are pictures: those see one another."""
        found = super().tokens(rows, seen)
        return replace(found, inputs={"token_type_ids": found.image.long()})

    @property
    def merged(self) -> int:
        """How many patches, along a side, make one token of the last stage."""
        return isqrt(self.tokens_per_tile() // int(self.model.config.mm_tokens_per_image))

    def grid(self, picture: PreparedImage) -> np.ndarray:
        """Give the grid of the pooled patches."""
        return square(int(self.model.config.mm_tokens_per_image), picture.rows)


FAMILY = Gemma3
