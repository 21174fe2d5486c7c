"""CLIP: two towers; the picture's tower and its projection are examined."""

from typing import ClassVar

from transformers import CLIPModel

from eyechart.models.families.base import Adapter


class Clip(Adapter):
    """CLIPModel; its connector projects the class token alone, into the space shared with text."""

    MODEL = CLIPModel
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "visual_projection"
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "visual_projection"}
    SPANS: ClassVar = {"vision": ("cls", "image_mean", "image_tokens"), "connector": ("cls",)}


FAMILY = Clip
