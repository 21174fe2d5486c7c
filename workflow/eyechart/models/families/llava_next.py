"""LLaVA-NeXT: an image is encoded whole and as tiles, whose features form one grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.models.llava_next.modeling_llava_next import get_anyres_image_grid_shape

from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.llava import Llava


class LlavaNext(Llava):
    """LlavaNextForConditionalGeneration.

    After the connector, padding is cropped from the tiles and each line of the grid gets a learned
    end token, so image tokens differ from the connector's rows.
    """

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return the number of tiles, the whole image included."""
        return int(inputs["pixel_values"].shape[1])

    def batch_inputs(self, images: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return the tiles of all images along one axis."""
        flat = [
            PreparedImage({**p.inputs, "pixel_values": p.inputs["pixel_values"][0]}, p.text, p.rows)
            for p in images
        ]
        return super().batch_inputs(flat)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return positions, joined by the model's own function for joining features."""
        places = square(self.tokens_per_tile(), image.rows).astype(np.float32)
        tiles = torch.from_numpy(places.reshape(image.rows, -1, 3))
        tiles[1:, :, 1:] = self.in_whole(tiles[1:, :, 1:], image)
        found = self.join_tiles(tiles.numpy(), image).round().astype(np.int64)
        found[:, 0] = np.minimum(found[:, 0], 1)
        found[found[:, 1] < 0, 0] = 1  # line ends belong to the joined view
        return np.asarray(found)

    def output_boxes(self, patches: np.ndarray, image: PreparedImage, component: str) -> np.ndarray:
        """Return boxes joined in the same way; at the connector, tiles are not yet joined."""
        if component == "connector":
            return patches
        areas = self.join_tiles(patches[:, 3:].reshape(image.rows, -1, 5), image)
        found = np.concatenate([self.grid(image), areas], axis=1)
        found[found[:, 1] < 0, 3:] = np.nan
        return spread(found)

    def join_tiles(self, tiles: np.ndarray, image: PreparedImage) -> np.ndarray:
        """Join values (tiles, p, k) into (t, k) as the model joins features; line ends are -1."""
        found, _ = self.body.pack_image_features(
            [torch.from_numpy(tiles)],
            image.inputs["image_sizes"],
            image_newline=torch.full((tiles.shape[2],), -1.0),
            **self.join,
        )
        values: np.ndarray = found[0].numpy()
        return values

    @property
    def join(self) -> dict[str, Any]:
        """Arguments with which the model joins tiles."""
        return {"vision_feature_select_strategy": self.model.config.vision_feature_select_strategy}

    def in_whole(self, places: Tensor, image: PreparedImage) -> Tensor:
        """Convert positions in tiles (tiles, p, 2) to positions in the joined grid."""
        config = self.model.config
        size = config.vision_config.image_size
        _, across = get_anyres_image_grid_shape(
            image.inputs["image_sizes"][0], config.image_grid_pinpoints, size
        )
        side = size // config.vision_config.patch_size
        tile = torch.arange(len(places))
        return places + side * torch.stack([tile // across, tile % across], dim=1)[:, None]


def spread(tokens: np.ndarray) -> np.ndarray:
    """Renumber the lines of the joined view and extend its boxes until they touch: (t, 8).

    If there are too many patches, the model resizes the grid, so each token covers more than the
    patch at its centre.
    """
    view = (tokens[:, 0] == 1) & (tokens[:, 1] >= 0)
    if not view.any():
        return tokens
    lines = int((~(tokens[:, 1] >= 0)).sum())
    inside = tokens[view].reshape(lines, -1, 8)
    row, column = np.divmod(np.arange(inside[..., 0].size), inside.shape[1])
    inside[..., 1], inside[..., 2] = row.reshape(lines, -1), column.reshape(lines, -1)
    for low, axis in ((3, 1), (4, 0)):
        middle = (inside[..., low] + inside[..., low + 2]) / 2
        if middle.shape[axis] > 1:
            half = np.nanmean(np.diff(middle, axis=axis)) / 2
            inside[..., low], inside[..., low + 2] = middle - half, middle + half
    tokens[view] = inside.reshape(-1, 8)
    return tokens


FAMILY = LlavaNext
