"""LLaVA: an encoder, a projector, and a causal language model that reads the image first."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.language import LanguageAdapter


class Llava(LanguageAdapter):
    """LlavaForConditionalGeneration; a class token is dropped before the connector."""

    BATCHED = True
    VISION = "model.vision_tower.encoder.layers"
    CONNECTOR = "model.multi_modal_projector"
    ROOTS: ClassVar = {
        "vision": "model.vision_tower",
        "connector": "model.multi_modal_projector",
        "lm": "model.language_model",
    }

    def leading(self, component: str) -> int:
        """Return 1 if the encoder has a class token: CLIP does, SigLIP does not."""
        embeddings = getattr(self.model.model.vision_tower, "embeddings", None)
        return int(component == "vision" and hasattr(embeddings, "class_embedding"))


FAMILY = Llava
