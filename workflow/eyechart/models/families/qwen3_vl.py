"""Qwen3-VL: Qwen2-VL whose early language-model blocks also get features of encoder blocks."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.qwen2_vl import Qwen2VL
from eyechart.models.spans import Tokens


class Qwen3VL(Qwen2VL):
    """Qwen3VLForConditionalGeneration, with deepstack features."""

    def read_blocks(self) -> list[int]:
        """Return the deepstack's blocks and the last block."""
        return [*self.model.config.vision_config.deepstack_visual_indexes, -1]

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector; keep the deepstack features."""
        found = self.body.get_image_features(**self.batch_inputs(images))
        return [
            EncodedImage(
                features,
                {
                    "grid": image.inputs["image_grid_thw"],
                    "early": [exit_[i] for exit_ in found.deepstack_features],
                },
            )
            for i, (features, image) in enumerate(zip(found.pooler_output, images, strict=True))
        ]

    def encoder_output(self, tokens: Tokens) -> Any:
        """Return the image features, and the deepstack features by level."""
        exits = zip(*(s.more["early"] for s in tokens.encoded), strict=True)
        return SimpleNamespace(
            pooler_output=[s.features for s in tokens.encoded],
            deepstack_features=[list(parts) for parts in exits],
        )


FAMILY = Qwen3VL
