"""LLaVA-OneVision: tiles as in LLaVA-NeXT; with several images per prompt, no tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from eyechart.models.families.base import PreparedImage, Seen
from eyechart.models.families.language import Row
from eyechart.models.families.llava_next import LlavaNext
from eyechart.models.patch_positions import measure
from eyechart.models.spans import Tokens


class LlavaOnevision(LlavaNext):
    """LlavaOnevisionForConditionalGeneration.

    A single image is cut into tiles, and vision and connector are examined in this form. In a
    prompt with several images each contributes its whole view only, as in training.
    """

    def picture(self, image: Image.Image) -> PreparedImage:
        """Preprocess one image for a prompt of its own; keep it for prompts with several images."""
        found = super().picture(image)
        found.inputs.pop("batch_num_images", None)
        return replace(found, image=image)

    def look(self, pictures: Sequence[PreparedImage]) -> list[Seen]:
        """Run encoder and connector on images as in single-image prompts."""
        found = super().look(pictures)
        return [
            replace(seen, more={"image": p.image}) for seen, p in zip(found, pictures, strict=True)
        ]

    def row(self, prompt: str, pictures: Sequence[PreparedImage]) -> Row:
        """Return the prompt's tokens; with several images, those of each whole view."""
        row = super().row(prompt, pictures)
        return replace(row, inputs={**row.inputs, "pictures": len(pictures)})

    def shown(self, picture: PreparedImage, number: int, of: int) -> str:
        """Return one placeholder per feature; a whole view has one more, its end."""
        return picture.text if of == 1 else self.mark * (self.tokens_per_tile() + 1)

    def tokens(self, rows: Sequence[Row], seen: Sequence[Seen] = ()) -> Tokens:
        """Pad prompts; with several images per prompt, use the features of the whole views."""
        left = list(seen)
        used: list[Seen] = []
        for row in rows:
            own = [left.pop(0) for _ in range(row.inputs.get("pictures", 0) if seen else 0)]
            used += own if len(own) < 2 else self.look_whole(own)
        return super().tokens(rows, used)

    def look_whole(self, seen: Sequence[Seen]) -> list[Seen]:
        """Encode whole views, which are padded to squares."""
        images = [s.more["image"] for s in seen]
        inputs = self.processor.image_processor(images=[images], return_tensors="pt")
        found = self.body.get_image_features(
            inputs["pixel_values"].to(self.device, self.dtype),
            inputs["image_sizes"].to(self.device),
            batch_num_images=torch.tensor([len(seen)]),
        )
        return [Seen(features) for features in found.pooler_output]

    def locate(self, size: tuple[int, int], region: str, of: int) -> np.ndarray:
        """Return boxes; with several images, those of the whole view and of its end token."""
        if of == 1 or region != "lm":
            return super().locate(size, region, of)

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
