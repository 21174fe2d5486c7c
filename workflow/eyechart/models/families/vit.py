"""ViT: an encoder trained to name what is in a picture."""

from __future__ import annotations

from typing import Any, ClassVar

import transformers

from eyechart.models.families.base import Adapter


class Vit(Adapter):
    """ViTModel, the body of ViTForImageClassification."""

    MODEL = "ViTModel"
    VISION = "layers"
    ROOTS: ClassVar = {"vision": "layers"}
    LEADING = 1
    UNUSED = ("classifier.", "pooler.")

    @classmethod
    def model_class(cls) -> Any:
        """Give the class without the pooler, which classification checkpoints do not have."""
        return _WithoutPooler


class _WithoutPooler:
    @staticmethod
    def from_pretrained(*where: Any, **how: Any) -> Any:
        return transformers.ViTModel.from_pretrained(*where, add_pooling_layer=False, **how)

    @staticmethod
    def from_config(config: Any) -> Any:
        return transformers.ViTModel(config, add_pooling_layer=False)


FAMILY = Vit
