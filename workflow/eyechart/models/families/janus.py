"""Janus: the encoder that understands images is examined, not the one that generates them."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.language import LanguageAdapter


class Janus(LanguageAdapter):
    """JanusForConditionalGeneration."""

    BATCHED = True
    VISION = "model.vision_model.encoder.layers"
    CONNECTOR = "model.aligner"
    FEATURES_AS_LIST = False
    ROOTS: ClassVar = {
        "vision": "model.vision_model",
        "connector": "model.aligner",
        "lm": "model.language_model",
    }


FAMILY = Janus
