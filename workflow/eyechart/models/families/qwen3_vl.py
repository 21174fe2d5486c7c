"""Qwen3-VL: Qwen2-VL whose early language-model blocks also get features of encoder blocks."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from eyechart.models.families.base import PreparedImage, Seen
from eyechart.models.families.qwen2_vl import Qwen2VL
from eyechart.models.spans import Tokens


class Qwen3VL(Qwen2VL):
    """Qwen3VLForConditionalGeneration, with deepstack features."""

    def look(self, pictures: Sequence[PreparedImage]) -> list[Seen]:
        """Run encoder and connector; keep the deepstack features."""
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
        """Return the features, and the deepstack features by level."""
        exits = zip(*(s.more["early"] for s in tokens.seen), strict=True)
        return SimpleNamespace(
            pooler_output=[s.features for s in tokens.seen],
            deepstack_features=[list(parts) for parts in exits],
        )


FAMILY = Qwen3VL
