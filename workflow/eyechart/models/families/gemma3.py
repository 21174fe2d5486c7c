"""Gemma 3: image tokens attend to one another; most language-model blocks use a sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt

import numpy as np

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.llava import Llava
from eyechart.models.families.prompts import Row
from eyechart.models.spans import Tokens


class Gemma3(Llava):
    """Gemma3ForConditionalGeneration."""

    FEATURES_AS_LIST = False

    @property
    def mark(self) -> str:
        """Text that a chat template writes for an image."""
        return str(self.processor.boi_token)

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts and mark image tokens, which attend to one another."""
        found = super().tokens(rows, encoded)
        return replace(found, inputs={"token_type_ids": found.image.long()})

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return isqrt(self.tokens_per_tile() // int(self.model.config.mm_tokens_per_image))

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of the pooled patches."""
        return square(int(self.model.config.mm_tokens_per_image), image.rows)


FAMILY = Gemma3
