"""LLaVA-OneVision: tiles as in LLaVA-NeXT; a picture among several is seen whole only."""

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

    A picture that comes alone is cut into tiles, and vision and connector are examined so; to a
    prompt with several it gives its whole view alone, as the model was trained.
    """

    def picture(self, image: Image.Image) -> PreparedImage:
        """Prepare one picture as it is seen alone; keep it for prompts with several."""
        found = super().picture(image)
        found.inputs.pop("batch_num_images", None)
        return replace(found, image=image)

    def look(self, pictures: Sequence[PreparedImage]) -> list[Seen]:
        """Run encoder and connector on pictures as they are seen alone."""
        found = super().look(pictures)
        return [
            replace(seen, more={"image": p.image}) for seen, p in zip(found, pictures, strict=True)
        ]

    def row(self, prompt: str, pictures: Sequence[PreparedImage]) -> Row:
        """Give the prompt's tokens; among several each picture has those of its whole view."""
        row = super().row(prompt, pictures)
        return replace(row, inputs={**row.inputs, "pictures": len(pictures)})

    def shown(self, picture: PreparedImage, number: int, of: int) -> str:
        """Give as many marks as the picture has features; one behind the whole view ends it."""
        return picture.text if of == 1 else self.mark * (self.tokens_per_tile() + 1)

    def tokens(self, rows: Sequence[Row], seen: Sequence[Seen] = ()) -> Tokens:
        """Give pictures that share a prompt the features of their whole views."""
        left = list(seen)
        used: list[Seen] = []
        for row in rows:
            own = [left.pop(0) for _ in range(row.inputs.get("pictures", 0) if seen else 0)]
            used += own if len(own) < 2 else self.look_whole(own)
        return super().tokens(rows, used)

    def look_whole(self, seen: Sequence[Seen]) -> list[Seen]:
        """Run encoder and connector on whole views, which are padded to squares."""
        images = [s.more["image"] for s in seen]
        inputs = self.processor.image_processor(images=[images], return_tensors="pt")
        found = self.body.get_image_features(
            inputs["pixel_values"].to(self.device, self.dtype),
            inputs["image_sizes"].to(self.device),
            batch_num_images=torch.tensor([len(seen)]),
        )
        return [Seen(features) for features in found.pooler_output]

    def locate(self, size: tuple[int, int], region: str, of: int) -> np.ndarray:
        """Give places; of a picture among several, those in its whole view and of its end."""
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
        """How the model joins tiles."""
        return {"vision_aspect_ratio": self.model.config.vision_aspect_ratio}


FAMILY = LlavaOnevision
