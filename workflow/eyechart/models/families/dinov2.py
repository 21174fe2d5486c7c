"""DINOv2: a stand-alone encoder trained on images without text."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage, rectangle


class Dinov2(Adapter):
    """Dinov2Model, or its variant with registers, which follow the class token."""

    BATCHED = True
    MODEL = "AutoModel"
    VISION = "encoder.layer"
    ROOTS: ClassVar = {"vision": "encoder"}

    def leading(self, component: str) -> int:
        """Return the number of class and register tokens."""
        return 1 + int(getattr(self.model.config, "num_register_tokens", 0))

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of an image's patches; positions are interpolated for any size."""
        height, width = image.inputs[self.PIXELS].shape[-2:]
        return rectangle(height // self.patch, width // self.patch)


FAMILY = Dinov2
