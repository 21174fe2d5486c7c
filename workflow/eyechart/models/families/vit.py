"""ViT: an encoder trained for image classification."""

from __future__ import annotations

from typing import Any, ClassVar

import transformers

from eyechart.models.families.base import Adapter


class Vit(Adapter):
    """ViTModel, the body of ViTForImageClassification."""

    BATCHED = True
    MODEL = "ViTModel"
    VISION = "layers"
    ROOTS: ClassVar = {"vision": "layers"}
    LEADING = 1
    UNUSED = ("classifier.", "pooler.")

    @classmethod
    def model_class(cls) -> Any:
        """Return the class without its pooler, which classification checkpoints lack."""
        return _WithoutPooler


class _WithoutPooler:
    @staticmethod
    def from_pretrained(*where: Any, **how: Any) -> Any:
        return transformers.ViTModel.from_pretrained(*where, add_pooling_layer=False, **how)

    @staticmethod
    def from_config(config: Any) -> Any:
        return transformers.ViTModel(config, add_pooling_layer=False)


FAMILY = Vit
