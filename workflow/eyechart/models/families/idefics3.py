"""Idefics3: as SmolVLM, which grew out of it."""

from __future__ import annotations

from eyechart.models.families.smolvlm import SmolVLM


class Idefics3(SmolVLM):
    """Idefics3ForConditionalGeneration."""


FAMILY = Idefics3
