"""Idefics3: the predecessor of SmolVLM, with the same layout."""

from __future__ import annotations

from eyechart.models.families.smolvlm import SmolVLM


class Idefics3(SmolVLM):
    """Idefics3ForConditionalGeneration."""


FAMILY = Idefics3
