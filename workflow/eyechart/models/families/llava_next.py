"""LLaVA-NeXT: a picture is seen whole and in tiles, whose features are joined to one grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.models.llava_next.modeling_llava_next import get_anyres_image_grid_shape

from eyechart.models.families.base import Picture, square
from eyechart.models.families.llava import Llava


class LlavaNext(Llava):
    """LlavaNextForConditionalGeneration.

    Behind the connector what tiles show of padding is cut off and each line of the grid gets a
    learned end, so that image tokens are not the connector's rows.
    """

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Give the number of tiles, the whole picture included."""
        return int(inputs["pixel_values"].shape[1])

    def gather(self, pictures: Sequence[Picture]) -> dict[str, Tensor]:
        """Put the tiles of all pictures in one row."""
        flat = [
            Picture({**p.inputs, "pixel_values": p.inputs["pixel_values"][0]}, p.text, p.rows)
            for p in pictures
        ]
        return super().gather(flat)

    def grid(self, picture: Picture) -> np.ndarray:
        """Send each patch's place through the joining of features that the model itself does."""
        places = torch.from_numpy(square(self.tokens_per_tile(), picture.rows)).float()
        tiles = places.reshape(picture.rows, -1, 3)
        tiles[1:, :, 1:] = self.in_whole(tiles[1:, :, 1:], picture)
        joined, _ = self.body.pack_image_features(
            [tiles],
            picture.inputs["image_sizes"],
            image_newline=torch.full((3,), -1.0),
            **self.join,
        )
        found = joined[0].round().long().numpy()
        found[:, 0] = np.minimum(found[:, 0], 1)
        found[found[:, 1] < 0, 0] = 1  # an end of line belongs to the joined view
        return np.asarray(found)

    @property
    def join(self) -> dict[str, Any]:
        """How the model joins tiles."""
        return {"vision_feature_select_strategy": self.model.config.vision_feature_select_strategy}

    def in_whole(self, places: Tensor, picture: Picture) -> Tensor:
        """Turn places in tiles (tiles, p, 2) into places in the grid that the tiles make up."""
        config = self.model.config
        size = config.vision_config.image_size
        _, across = get_anyres_image_grid_shape(
            picture.inputs["image_sizes"][0], config.image_grid_pinpoints, size
        )
        side = size // config.vision_config.patch_size
        tile = torch.arange(len(places))
        return places + side * torch.stack([tile // across, tile % across], dim=1)[:, None]


FAMILY = LlavaNext
