"""An image as a model sees it, and the position of each image token on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from torch import Tensor

from eyechart.models.patch_positions import KEPT, finish, measure, merge, on_grid, views_of


@dataclass(frozen=True)
class PreparedImage:
    """One image, preprocessed for a model."""

    # inputs of the vision encoder: dict of Tensor on the CPU, with a first axis of 1 or ``rows``
    inputs: dict[str, Tensor]
    text: str = ""  # the text that represents the image in a prompt: its image tokens, written out
    # length of the first axis of the encoder's input: 1; the number of tiles if the image is cut
    # into tiles; the number of patches if images are packed without a batch axis
    rows: int = 1
    # PIL image or None; the original image, if a family's own code needs it together with the
    # prompt
    image: Image.Image | None = None
    size: tuple[int, int] = (0, 0)  # (width, height) of the original image, in pixels


class ImageTokens:
    """The part of an adapter that locates each token on the image.

    It preprocesses coloured images and measures the result, so a family that crops, pads or tiles
    images needs no formula. Each family only defines how tokens are ordered and merged.

    Class attributes
    ----------------
    PIXELS : name of the input with an image's tiles
    """

    PIXELS: ClassVar[str] = "pixel_values"
    model: Any

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Return one RGB image, preprocessed."""
        raise NotImplementedError

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid position of each image token of the language model: int64 (t, 3).

        The columns are view (0, or the number of a tile), row and column. Row and column are -1 for
        tokens without a position (a learned query, the end of a line).
        """
        return square(self.tokens_per_tile(), image.rows)

    def tokens_per_tile(self) -> int:
        """Return the number of patches of an image or tile of fixed size."""
        config = getattr(self.model.config, "vision_config", self.model.config)
        return (int(config.image_size) // int(config.patch_size)) ** 2

    def token_boxes(self, size: tuple[int, int], component: str, of: int = 1) -> np.ndarray:
        """Return the boxes of the tokens of the span ``image_tokens`` in an image of this size.

        Result: float32, shape (t, 7); view, row, column, left, top, right, bottom; edges in pixels
        of the image. Edges may lie outside the image if a token includes padding. Tokens without a
        position (learned queries, ends of lines, padding only) have row and column -1 and NaN
        edges.

        Parameters
        ----------
        size : (width, height) in pixels
        component : ``vision``, ``connector`` or ``lm``, or another name that ``box_key`` returns
        of : number of images in the prompt
        """
        key = (size, component, of)
        if key not in self._token_boxes:
            if len(self._token_boxes) >= KEPT:
                self._token_boxes.clear()
            self._token_boxes[key] = finish(self.locate(size, component, of))
            self._token_boxes[key].flags.writeable = False
        return self._token_boxes[key]

    @cached_property
    def _token_boxes(self) -> dict[tuple[tuple[int, int], str, int], np.ndarray]:
        return {}

    def box_key(self, component: str, module: str) -> str:
        """Return the key of a module's token boxes: usually its component."""
        return component

    def locate(self, size: tuple[int, int], component: str, of: int) -> np.ndarray:
        """Return the boxes of tokens in the format of ``patch_positions``: (t, 8)."""
        if size not in self._measured:
            self._measured.clear()  # all components of one size are requested in succession
            self._measured[size] = self.measured(size)
        image, patches = self._measured[size]
        if component == "vision":
            return self.encoder_order(patches, image)
        return self.output_boxes(patches, image, component)

    @cached_property
    def _measured(self) -> dict[tuple[int, int], tuple[PreparedImage, np.ndarray]]:
        return {}

    def measured(self, size: tuple[int, int]) -> tuple[PreparedImage, np.ndarray]:
        """Return a test image of a given size, and its tiles' patches (t, 8), row by row."""
        made: list[PreparedImage] = []

        def see(image: Image.Image) -> list[np.ndarray]:
            made.append(self.prepare_image(image))
            return self.tiles(made[-1])

        tiles = measure(see, size)
        patches = [tile.patches(self.patch, view) for view, tile in enumerate(tiles)]
        return made[0], np.concatenate(patches)

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return the tiles (3, h, w) of an image as the encoder sees them, in order."""
        pixels = image.inputs[self.PIXELS]
        return list(pixels.reshape(-1, *pixels.shape[-3:])[: image.rows].float().numpy())

    def encoder_order(self, patches: np.ndarray, image: PreparedImage) -> np.ndarray:
        """Return patches (t, 8) in the encoder's order, given row by row within each tile."""
        return patches

    def output_boxes(self, patches: np.ndarray, image: PreparedImage, component: str) -> np.ndarray:
        """Return the boxes (t, 8) of the tokens of the connector or the language model."""
        views = [merge(view, self.merged) for view in self.grid_views(patches, image)]
        return on_grid(self.grid(image), views)

    def grid_views(self, patches: np.ndarray, image: PreparedImage) -> list[np.ndarray]:
        """Return the patches of each view of ``grid``, as (rows, columns, 5)."""
        return views_of(patches)

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a tile."""
        config = getattr(self.model.config, "vision_config", self.model.config)
        side = config.patch_size
        return int(side if isinstance(side, int) else side[0])

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return 1


def square(tokens: int, views: int) -> np.ndarray:
    """Return the grid of square views with this many tokens each, row by row."""
    side = round(tokens**0.5)
    return np.concatenate([rectangle(side, side, view) for view in range(views)])


def rectangle(height: int, width: int, view: int = 0) -> np.ndarray:
    """Return the grid of one view, row by row: int64 (height x width, 3)."""
    row, column = np.divmod(np.arange(height * width), width)
    return np.stack([np.full_like(row, view), row, column], axis=1)
