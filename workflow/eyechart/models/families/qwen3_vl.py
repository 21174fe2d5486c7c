"""Qwen3-VL: as Qwen2-VL; early blocks of the language model get early blocks of the encoder too."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from eyechart.models.families.base import PreparedImage, Seen
from eyechart.models.families.qwen2_vl import Qwen2VL
from eyechart.models.spans import Tokens


class Qwen3VL(Qwen2VL):
    """Qwen3VLForConditionalGeneration, with what it calls deepstack features."""

    def look(self, pictures: Sequence[PreparedImage]) -> list[Seen]:
        """Run the encoder; keep the features of all its exits."""
        found = self.body.get_image_features(**self.gather(pictures))
        return [
            Seen(
                features,
                {
                    "grid": picture.inputs["image_grid_thw"],
                    "early": [exit_[i] for exit_ in found.deepstack_features],
                },
            )
            for i, (features, picture) in enumerate(zip(found.pooler_output, pictures, strict=True))
        ]

    def encoded(self, tokens: Tokens) -> Any:
        """Give the features of all exits, exit by exit."""
        exits = zip(*(s.more["early"] for s in tokens.seen), strict=True)
        return SimpleNamespace(
            pooler_output=[s.features for s in tokens.seen],
            deepstack_features=[list(parts) for parts in exits],
        )


FAMILY = Qwen3VL
