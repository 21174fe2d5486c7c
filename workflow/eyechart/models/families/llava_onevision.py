"""LLaVA-OneVision: tiles as in LLaVA-NeXT, but none with several images per prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.llava_next import LlavaNext
from eyechart.models.families.prompts import Row
from eyechart.models.patch_positions import measure
from eyechart.models.spans import Tokens


class LlavaOnevision(LlavaNext):
    """LlavaOnevisionForConditionalGeneration.

    A single image is cut into tiles, and this form is used to examine vision and connector. In a
    prompt with several images, each contributes only its whole view, as in training.
    """

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Preprocess one image for single-image prompts; keep the original for other prompts."""
        found = super().prepare_image(image)
        found.inputs.pop("batch_num_images", None)
        return replace(found, image=image)

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector on images as in single-image prompts."""
        found = super().encode_images(images)
        return [
            replace(encoded, more={"image": p.image})
            for encoded, p in zip(found, images, strict=True)
        ]

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the prompt's tokens; each of several images has only its whole view's tokens."""
        row = super().row(prompt, images)
        return replace(row, inputs={**row.inputs, "images": len(images)})

    def image_text(self, image: PreparedImage, number: int, of: int) -> str:
        """Return one placeholder per feature; a whole view has one more, for its end."""
        return image.text if of == 1 else self.mark * (self.tokens_per_tile() + 1)

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts; with several images per prompt, use the features of the whole views."""
        left = list(encoded)
        used: list[EncodedImage] = []
        for row in rows:
            own = [left.pop(0) for _ in range(row.inputs.get("images", 0) if encoded else 0)]
            used += own if len(own) < 2 else self.encode_whole_views(own)
        return super().tokens(rows, used)

    def encode_whole_views(self, encoded: Sequence[EncodedImage]) -> list[EncodedImage]:
        """Encode whole views, which are padded to squares."""
        images = [s.more["image"] for s in encoded]
        inputs = self.processor.image_processor(images=[images], return_tensors="pt")
        found = self.body.get_image_features(
            inputs["pixel_values"].to(self.device, self.dtype),
            inputs["image_sizes"].to(self.device),
            batch_num_images=torch.tensor([len(encoded)]),
        )
        return [EncodedImage(features) for features in found.pooler_output]

    def locate(self, size: tuple[int, int], component: str, of: int) -> np.ndarray:
        """Return boxes; with several images, only those of the whole view and its end token."""
        if of == 1 or component != "lm":
            return super().locate(size, component, of)

        def whole(image: Image.Image) -> list[np.ndarray]:
            found = self.processor.image_processor(images=[[image] * 2], return_tensors="pt")
            pixels = found["pixel_values"]
            return list(pixels.reshape(-1, *pixels.shape[-3:])[:1].float().numpy())

        patches = measure(whole, size)[0].patches(self.patch, 0)
        return np.concatenate([patches, [[0, -1, -1, *[np.nan] * 5]]])

    @property
    def join(self) -> dict[str, Any]:
        """Arguments with which the model joins tiles."""
        return {"vision_aspect_ratio": self.model.config.vision_aspect_ratio}


FAMILY = LlavaOnevision
