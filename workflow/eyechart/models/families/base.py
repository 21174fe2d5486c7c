"""What all families share: loading, pictures, the vision encoder, addresses and their spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError, nearest
from eyechart.models.checkpoint import load_model, load_processor
from eyechart.models.load_options import Loading
from eyechart.models.patch_positions import KEPT, finish, measure, merge, on_grid, views_of
from eyechart.models.spans import by_picture, vision_masks
from eyechart.models.spec import Spec

ALL_VISION = ("cls", "image_mean", "image_tokens")


@dataclass(frozen=True)
class PreparedImage:
    """One picture as the model takes it.

    Attributes
    ----------
    inputs : dict of Tensor, on the CPU, first axis 1 or ``rows``
        What the vision encoder takes.
    text : str
        What stands for the picture in a prompt: its image tokens, written out.
    rows : int
        How many rows of the first axis of an encoder's input are its own: 1; tiles where it is cut
        into tiles; patches where pictures are packed without a batch axis.
    image : PIL image or None
        The picture itself, where a family's own code wants it together with the prompt.
    size : (width, height) of the picture itself, in pixels
    """

    inputs: dict[str, Tensor]
    text: str = ""
    rows: int = 1
    image: Image.Image | None = None
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Seen:
    """What a language model takes of one picture that was looked at.

    Attributes
    ----------
    features : shape (its image tokens, d), or None where the model looks again when it reads
    more : what else a family needs
    """

    features: Any
    more: dict[str, Any] = field(default_factory=dict)


class Adapter:
    """A loaded encoder; a family says which class loads it and where its blocks are.

    Class attributes
    ----------------
    MODEL : name of a transformers class
    VISION, CONNECTOR : module paths of the encoder's list of blocks, and of the connector, if any
    RESAMPLER : module path of the connector's own list of blocks, if it has any
    ROOTS : module path of each region
    LEADING : how many tokens stand before the patches of each picture or tile: 1 for a class token,
        more where registers follow it
    PACKED : whether the encoder takes the patches of all pictures in one row
    AT_ONCE : how many pictures may be looked at in one pass; 0 for any number
    PIXELS : name of the input that holds a picture's tiles
    UNUSED : beginnings of the names of weights that a checkpoint may hold and nothing here needs
    """

    MODEL: ClassVar[str]
    VISION: ClassVar[str]
    CONNECTOR: ClassVar[str | None] = None
    RESAMPLER: ClassVar[str | None] = None
    ROOTS: ClassVar[dict[str, str]]
    LEADING: ClassVar[int] = 0
    PACKED: ClassVar[bool] = False
    AT_ONCE: ClassVar[int] = 0
    PIXELS: ClassVar[str] = "pixel_values"
    UNUSED: ClassVar[tuple[str, ...]] = ()

    def __init__(self, model: Any, processor: Any, spec: Spec, device: torch.device) -> None:
        self.model = model
        self.processor = processor
        self.spec = spec
        self.device = device

    @classmethod
    def load(cls, checkpoint: Path, spec: Spec, loading: Loading) -> Adapter:
        """Load model and processor from a folder in Hugging Face layout.

        Raises
        ------
        UserError
            If the folder is no checkpoint, or its weights and the model differ in any key or shape:
            transformers would only warn, and go on with random weights.
        """
        model, device = load_model(cls.model_class(), checkpoint, spec, loading, cls.UNUSED)
        return cls(model, load_processor(checkpoint, spec, loading), spec, device)

    @classmethod
    def model_class(cls) -> Any:
        """Give the class that loads the model."""
        return getattr(transformers, cls.MODEL)

    @property
    def dtype(self) -> torch.dtype:
        """The precision that pictures are given to the model in."""
        found: torch.dtype = self.model.dtype
        return found

    # Places

    def addresses(self) -> dict[str, str]:
        """Give the module path of every address, in the order in which they run."""
        found = self.blocks("vision", self.VISION)
        if self.RESAMPLER:
            found |= self.blocks("connector", self.RESAMPLER)
        return {**found, "connector": self.CONNECTOR} if self.CONNECTOR else found

    def module_path(self, address: str) -> str:
        """Return the module path of an address; a UserError if there is no such address."""
        known = self.addresses()
        if address not in known:
            raise UserError(
                f"{self.spec.checkpoint}: no address {address!r}; {nearest(address, known)}"
            )
        return known[address]

    def blocks(self, region: str, path: str) -> dict[str, str]:
        """Give the addresses of a list of blocks."""
        count = len(self.model.get_submodule(path))
        return {f"{region}.{i}": f"{path}.{i}" for i in range(count)}

    def region(self, path: str) -> str | None:
        """Give the region that a module stands in, if any; the deepest root counts."""
        inside = [
            (len(root), name)
            for name, root in self.ROOTS.items()
            if path == root or path.startswith(root + ".")
        ]
        return max(inside)[1] if inside else None

    def leading(self, region: str) -> int:
        """Give how many tokens stand before the patches in a region's outputs."""
        return self.LEADING if region == "vision" else 0

    def spans(self, region: str) -> tuple[str, ...]:
        """Give the spans of a region's addresses, in the order of ``addresses.SPANS``."""
        return ALL_VISION if self.leading(region) else ALL_VISION[1:]

    def scope(self, region: str) -> str:
        """Give what encoder and connector depend on: ``image``, or ``item`` with the question."""
        return "image"

    # Pictures

    def picture(self, image: Image.Image) -> PreparedImage:
        """Prepare one RGB picture: what is done once per picture on the CPU."""
        prepare = getattr(self.processor, "image_processor", self.processor)
        inputs = dict(prepare(images=[image], return_tensors="pt"))
        return PreparedImage(inputs, rows=self.rows(inputs))

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Give ``PreparedImage.rows`` of a picture's inputs."""
        return int(inputs["pixel_values"].shape[0])

    def gather(self, pictures: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Join the inputs of several pictures to one batch on the device."""
        joined = {k: torch.cat([p.inputs[k] for p in pictures]) for k in pictures[0].inputs}
        return {
            k: v.to(self.device, self.dtype if v.is_floating_point() else v.dtype)
            for k, v in joined.items()
        }

    def look(self, pictures: Sequence[PreparedImage]) -> list[Seen]:
        """Run the encoder, for the sake of the hooks on it; there is nobody to hand on to."""
        self.model(**self.gather(pictures))
        return []

    def runs(self, pictures: Sequence[PreparedImage]) -> int:
        """Give how often each module of the encoder runs when these pictures are looked at."""
        return 1

    def layout(
        self, region: str, hidden: Any, pictures: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Give an encoder or connector output as (b, t, d), and the masks (b, t) of its spans.

        One row per picture, whatever the module's own first axis: tiles stand one after another.
        """
        if hidden.ndim == 4:  # (tiles, h, w, d)
            hidden = hidden.flatten(1, 2)
        if self.PACKED and hidden.ndim == 3:
            hidden = hidden[0]  # (patches of all pictures, d)
        leading = 0 if self.PACKED else self.leading(region)
        period = 1 if self.PACKED else hidden.shape[1] if hidden.ndim == 3 else 1
        hidden, valid = by_picture(hidden, [p.rows for p in pictures])
        masks = vision_masks(valid, leading, period)
        if hidden.shape[1] == 1 and not self.PACKED and region == "connector":
            return hidden, {"cls": valid}  # one pooled vector stands for the whole picture
        return hidden, {span: masks[span] for span in self.spans(region)}

    # Where tokens lie

    def grid(self, picture: PreparedImage) -> np.ndarray:
        """Give where each image token lies that the last stage sees: int64 (t, 3).

        The columns are view (0, or a tile's number), row and column; row and column are -1 for
        tokens that lie nowhere (a learned query, the end of a line).
        """
        return square(self.tokens_per_tile(), picture.rows)

    def tokens_per_tile(self) -> int:
        """Give how many patches the encoder makes of a picture or tile of fixed size."""
        config = getattr(self.model.config, "vision_config", self.model.config)
        return (int(config.image_size) // int(config.patch_size)) ** 2

    def places(self, size: tuple[int, int], region: str, of: int = 1) -> np.ndarray:
        """Give where the tokens of the span ``image_tokens`` lie in a picture of a size.

        Parameters
        ----------
        size : (width, height) in pixels
        region : ``vision``, ``connector`` or ``lm``, or another name that ``stage`` gives
        of : int
            How many pictures stand in the prompt.

        Returns
        -------
        ndarray, float32, shape (t, 7)
            View, row, column, left, top, right, bottom; edges in pixels of the picture. They may
            lie outside of it where a token shows padding too. Row and column are -1 and edges NaN
            where a token lies nowhere: learned queries, ends of lines, nothing but padding.
        """
        key = (size, region, of)
        if key not in self._places:
            if len(self._places) >= KEPT:
                self._places.clear()
            self._places[key] = finish(self.locate(size, region, of))
            self._places[key].flags.writeable = False
        return self._places[key]

    @cached_property
    def _places(self) -> dict[tuple[tuple[int, int], str, int], np.ndarray]:
        return {}

    def stage(self, region: str, module: str) -> str:
        """Give the name under which a module's tokens have places: its region's, as a rule."""
        return region

    def locate(self, size: tuple[int, int], region: str, of: int) -> np.ndarray:
        """Give ``places`` as ``models/places.py`` has them: (t, 8)."""
        if size not in self._measured:
            self._measured.clear()  # the regions of one size are asked for one after another
            self._measured[size] = self.measured(size)
        picture, patches = self._measured[size]
        if region == "vision":
            return self.in_order(patches, picture)
        return self.gathered(patches, picture, region)

    @cached_property
    def _measured(self) -> dict[tuple[int, int], tuple[PreparedImage, np.ndarray]]:
        return {}

    def measured(self, size: tuple[int, int]) -> tuple[PreparedImage, np.ndarray]:
        """Give a picture of a size, and the patches (t, 8) of its tiles, row by row."""
        made: list[PreparedImage] = []

        def see(image: Image.Image) -> list[np.ndarray]:
            made.append(self.picture(image))
            return self.tiles(made[-1])

        tiles = measure(see, size)
        patches = [tile.patches(self.patch, view) for view, tile in enumerate(tiles)]
        return made[0], np.concatenate(patches)

    def tiles(self, picture: PreparedImage) -> list[np.ndarray]:
        """Give a picture's tiles (3, h, w) as the encoder takes them, in order."""
        pixels = picture.inputs[self.PIXELS]
        return list(pixels.reshape(-1, *pixels.shape[-3:])[: picture.rows].float().numpy())

    def in_order(self, patches: np.ndarray, picture: PreparedImage) -> np.ndarray:
        """Put patches (t, 8), tile by tile and row by row, in the encoder's own order."""
        return patches

    def gathered(self, patches: np.ndarray, picture: PreparedImage, region: str) -> np.ndarray:
        """Give the places of what connector and language model are given: (t, 8)."""
        views = [merge(view, self.merged) for view in self.in_views(patches, picture)]
        return on_grid(self.grid(picture), views)

    def in_views(self, patches: np.ndarray, picture: PreparedImage) -> list[np.ndarray]:
        """Give the patches of each view that ``grid`` speaks of, as (rows, columns, 5)."""
        return views_of(patches)

    @property
    def patch(self) -> int:
        """The side of a patch, in pixels of a tile."""
        config = getattr(self.model.config, "vision_config", self.model.config)
        side = config.patch_size
        return int(side if isinstance(side, int) else side[0])

    @property
    def merged(self) -> int:
        """How many patches, along a side, make one token of the last stage."""
        return 1


def square(tokens: int, views: int) -> np.ndarray:
    """Give the grid of views that are squares of so many tokens each, row by row."""
    side = round(tokens**0.5)
    return np.concatenate([rectangle(side, side, view) for view in range(views)])


def rectangle(height: int, width: int, view: int = 0) -> np.ndarray:
    """Give the grid of one view, row by row: int64 (height x width, 3)."""
    row, column = np.divmod(np.arange(height * width), width)
    return np.stack([np.full_like(row, view), row, column], axis=1)
