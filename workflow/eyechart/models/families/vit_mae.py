"""MAE: an encoder trained to reconstruct masked patches; here no patch is masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from eyechart.models.families.base import Adapter, EncodedImage
from eyechart.models.families.image_tokens import PreparedImage


class VitMae(Adapter):
    """ViTMAEModel with no patch masked or reordered."""

    BATCHED = True
    MODEL = "ViTMAEModel"
    VISION = "layers"
    ROOTS: ClassVar = {"vision": "layers"}
    LEADING = 1
    UNUSED = ("decoder.", "mask_token", "decoder_")

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder, with masking noise that keeps the patches in order."""
        inputs = self.batch_inputs(images)
        self.model.config.mask_ratio = 0.0
        order = torch.arange(self.tokens_per_tile(), device=self.device).float()
        self.model(**inputs, noise=order.expand(len(images), -1))
        return []


FAMILY = VitMae
