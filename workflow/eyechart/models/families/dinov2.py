"""DINOv2: an encoder alone, trained on pictures without words."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.base import Adapter


class Dinov2(Adapter):
    """Dinov2Model, or the same with registers, which stand behind the class token."""

    MODEL = "AutoModel"
    VISION = "encoder.layer"
    ROOTS: ClassVar = {"vision": "encoder"}

    def leading(self, region: str) -> int:
        """Give the class token and the registers."""
        return 1 + int(getattr(self.model.config, "num_register_tokens", 0))


FAMILY = Dinov2
