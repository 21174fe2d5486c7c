"""What encoders with a tower for text share: pictures and texts as vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.families.base import Adapter, PreparedImage, Seen
from eyechart.models.hooks import pass_mode


class TwoTowers(Adapter):
    """A loaded encoder with a tower for pictures and one for text.

    Class attributes
    ----------------
    PADDING : how the class was trained on texts: padded to the ``longest`` of a batch, which then
        does not matter, or to ``max_length``, which does
    """

    PADDING: ClassVar[str] = "longest"

    def look(self, pictures: Sequence[PreparedImage]) -> list[Seen]:
        """Run the picture's tower and what leads to the common space; nobody reads on."""
        self.model.get_image_features(**self.gather(pictures))
        return []

    def views(self, pictures: Sequence[PreparedImage], gradients: bool = False) -> Tensor:
        """Give pictures as vectors of length one: float32 (b, d)."""
        with pass_mode(gradients):
            return _unit(self.model.get_image_features(**self.gather(pictures)))

    def texts(self, texts: Sequence[str], gradients: bool = False) -> Tensor:
        """Give texts as vectors of length one: float32 (c, d).

        Raises
        ------
        UserError
            If a text has more tokens than the tower reads: nothing is cut off in silence.
        """
        most = int(self.model.config.text_config.max_position_embeddings)
        for text, count in zip(texts, self.count_tokens(texts), strict=True):
            if count > most:
                raise UserError(
                    f"text {text!r}: {count} tokens, but the text tower of {self.spec.checkpoint} "
                    f"reads {most} at most; shorten it"
                )
        how = {"max_length": most} if self.PADDING == "max_length" else {}
        inputs = self.tokenizer(list(texts), padding=self.PADDING, return_tensors="pt", **how)
        with pass_mode(gradients):
            return _unit(self.model.get_text_features(**inputs.to(self.device)))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Give how many tokens each text has, with those that open and close it."""
        return [len(ids) for ids in self.tokenizer(list(texts))["input_ids"]]

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of texts."""
        return self.processor.tokenizer

    @property
    def sharpness(self) -> float:
        """What a cosine is multiplied by to be a score, as learnt."""
        return float(self.model.logit_scale.exp())


def _unit(found: Any) -> Tensor:
    """Give the pooled vectors (b, d) of a tower's output, each divided by its length."""
    vectors: Tensor = getattr(found, "pooler_output", found)
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
