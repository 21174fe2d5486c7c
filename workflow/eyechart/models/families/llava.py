"""LLaVA: a CLIP tower, a projector, a causal language model that reads the picture first."""

from typing import ClassVar

from transformers import LlavaForConditionalGeneration

from eyechart.models.families.language import LanguageAdapter


class Llava(LanguageAdapter):
    """LlavaForConditionalGeneration; the class token is dropped before the connector."""

    MODEL = LlavaForConditionalGeneration
    VISION = "model.vision_tower.encoder.layers"
    CONNECTOR = "model.multi_modal_projector"
    BACKBONE = "model.language_model"
    LM = "model.language_model.layers"
    NORM = "model.language_model.norm"
    CAUSAL = True
    ROOTS: ClassVar = {
        "vision": "model.vision_tower",
        "connector": "model.multi_modal_projector",
        "lm": "model.language_model",
    }
    SPANS: ClassVar = {
        "vision": ("cls", "image_mean", "image_tokens"),
        "connector": ("image_mean", "image_tokens"),
        "lm": ("image_mean", "text_mean", "last", "all_mean", "image_tokens"),
    }


FAMILY = Llava
