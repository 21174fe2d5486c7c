"""Base adapter of encoders with a text tower: images and texts in one embedding space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.families.base import Adapter, EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.hooks import pass_mode
from eyechart.models.limits import tokenizing


class TwoTowers(Adapter):
    """A loaded encoder with an image tower and a text tower.

    Class attributes
    ----------------
    PADDING : padding of texts in training: to the ``longest`` of a batch, if padding has no effect,
        or to ``max_length``, if it does
    ALONE : adapters of checkpoints that hold only the image tower
    """

    PADDING: ClassVar[str] = "longest"
    ALONE: ClassVar[tuple[type[Adapter], ...]] = ()

    @classmethod
    def for_class(cls, saved: str) -> type[Adapter]:
        """Return the adapter of the image tower if only that was saved, or this class."""
        return next((tower for tower in cls.ALONE if saved == tower.MODEL), cls)

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the image tower and its projection for their hooks; return an empty list."""
        self.model.get_image_features(**self.batch_inputs(images))
        return []

    def embed_images(self, images: Sequence[PreparedImage], gradients: bool = False) -> Tensor:
        """Return unit embeddings of images: float32 (b, d)."""
        with pass_mode(gradients):
            return _unit(self.model.get_image_features(**self.batch_inputs(images)))

    def embed_texts(self, texts: Sequence[str], gradients: bool = False) -> Tensor:
        """Return unit embeddings of texts: float32 (c, d).

        Raise a UserError if a text has more tokens than the tower reads; no text is truncated.
        """
        most = self.most_tokens
        for text, count in zip(texts, self.count_tokens(texts), strict=True):
            if count > most:
                raise UserError(
                    f"text {text!r}: {count} tokens, but the text tower of {self.spec.checkpoint} "
                    f"reads at most {most}; shorten it"
                )
        how = {"max_length": most} if self.PADDING == "max_length" else {}
        inputs = self.tokenizer(list(texts), padding=self.PADDING, return_tensors="pt", **how)
        with pass_mode(gradients):
            return _unit(self.model.get_text_features(**inputs.to(self.device)))

    @property
    def most_tokens(self) -> int:
        """Maximum number of tokens of a text, including start and end tokens."""
        return int(self.model.config.text_config.max_position_embeddings)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, including start and end tokens."""
        with tokenizing(self.spec.checkpoint):
            return [len(ids) for ids in self.tokenizer(list(texts))["input_ids"]]

    @property
    def tokenizer(self) -> Any:
        """Tokenizer of texts."""
        return self.processor.tokenizer

    @property
    def logit_scale(self) -> float:
        """Learned scale from cosine similarities to logits."""
        return float(self.model.logit_scale.exp())


def _unit(found: Any) -> Tensor:
    """Return the pooled vectors (b, d) of a tower's output, normalised to unit length."""
    vectors: Tensor = getattr(found, "pooler_output", found)
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
