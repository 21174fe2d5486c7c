"""DINOv2: a stand-alone encoder, trained on images without text."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.base import Adapter


class Dinov2(Adapter):
    """Dinov2Model, or its variant with registers, which follow the class token."""

    MODEL = "AutoModel"
    VISION = "encoder.layer"
    ROOTS: ClassVar = {"vision": "encoder"}

    def leading(self, component: str) -> int:
        """Return the number of class and register tokens."""
        return 1 + int(getattr(self.model.config, "num_register_tokens", 0))


FAMILY = Dinov2
