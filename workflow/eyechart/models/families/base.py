"""Base adapter of all families: loading, images, the vision encoder, addresses and spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
import transformers
from PIL import Image
from torch import Tensor

from eyechart.core.address import VISION, component
from eyechart.core.errors import UserError, nearest, shown
from eyechart.models.checkpoint import load_model, load_processor
from eyechart.models.families.image_tokens import ImageTokens, PreparedImage
from eyechart.models.load_options import LoadOptions
from eyechart.models.spans import by_image, vision_masks
from eyechart.models.spec import Spec

ALL_VISION = ("cls", "image_mean", "image_tokens")


@dataclass(frozen=True)
class EncodedImage:
    """The language model's inputs for one encoded image."""

    features: Any  # shape (image tokens, d), or None if the model encodes again with each prompt
    more: dict[str, Any] = field(default_factory=dict)  # other values that a family needs


class Adapter(ImageTokens):
    """A loaded encoder; each family declares the class that loads it and the paths of its blocks.

    Class attributes
    ----------------
    MODEL : name of a transformers class
    VISION, CONNECTOR : module paths of the encoder's list of blocks, and of the connector, if any
    RESAMPLER : module path of the connector's own list of blocks, if it has any
    ROOTS : module path of each component
    LEADING : number of tokens before the patches of each image or tile: 1 for a class token, more
        if registers follow it
    PACKED : whether the encoder takes the patches of all images as one row
    MAX_IMAGES_PER_PASS : maximum number of images per pass; 0 for no limit
    BATCHED : whether the processor treats several images exactly as it treats each alone; families
        do not inherit this and must set it themselves
    UNUSED : name prefixes of weights that a checkpoint may hold but that are not needed
    """

    MODEL: ClassVar[str]
    VISION: ClassVar[str]
    CONNECTOR: ClassVar[str | None] = None
    RESAMPLER: ClassVar[str | None] = None
    ROOTS: ClassVar[dict[str, str]]
    LEADING: ClassVar[int] = 0
    PACKED: ClassVar[bool] = False
    MAX_IMAGES_PER_PASS: ClassVar[int] = 0
    BATCHED: ClassVar[bool] = False
    UNUSED: ClassVar[tuple[str, ...]] = ()

    soft_prompt: torch.nn.Parameter | None = None  # see ``models.soft_prompt``

    def __init__(self, model: Any, processor: Any, spec: Spec, device: torch.device) -> None:
        self.model = model
        self.processor = processor
        self.spec = spec
        self.device = device

    @classmethod
    def load(cls, checkpoint: Path, spec: Spec, loading: LoadOptions) -> Adapter:
        """Load model and processor from a folder in Hugging Face layout.

        Raise a UserError if the folder is not a checkpoint, or if its weights and the model differ
        in any key or shape. transformers would only warn and continue with random weights.
        """
        model, device = load_model(cls.model_class(), checkpoint, spec, loading, cls.UNUSED)
        return cls(model, load_processor(checkpoint, spec, loading), spec, device)

    @classmethod
    def for_class(cls, saved: str) -> type[Adapter]:
        """Return the adapter for a checkpoint, given the class that saved it."""
        return cls

    @classmethod
    def model_class(cls) -> Any:
        """Return the class that loads the model."""
        return getattr(transformers, cls.MODEL)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the encoder's inputs."""
        found: torch.dtype = self.model.dtype
        return found

    # Addresses

    def addresses(self) -> dict[str, str]:
        """Return the module path of every address, in execution order."""
        found = self.blocks("vision", self.VISION)
        if self.RESAMPLER:
            found |= self.blocks("connector", self.RESAMPLER)
        return {**found, "connector": self.CONNECTOR} if self.CONNECTOR else found

    def reads(self) -> list[str]:
        """Return the addresses of the vision outputs that the connector reads, in order."""
        vision = [a for a in self.addresses() if component(a) == VISION]
        return [vision[i] for i in sorted({n % len(vision) for n in self.read_blocks()})]

    def read_blocks(self) -> Sequence[int]:
        """Return the indices of the blocks that the connector reads; negative ones from the end."""
        states = self.read_states()
        return [n - (n > 0) for n in ([states] if isinstance(states, int) else states) if n]

    def read_states(self) -> int | Sequence[int]:
        """Return the indices of the hidden states the connector reads; 0 is the blocks' input."""
        found: int | list[int] = getattr(self.model.config, "vision_feature_layer", -1)
        states = found if isinstance(found, list | tuple) else [found]
        if not all(isinstance(n, int) for n in states):
            raise UserError(
                f"{self.spec.checkpoint}: config.json: vision_feature_layer is {shown(found)}, "
                "expected a whole number or a list of them"
            )
        return found

    def module_path(self, address: str) -> str:
        """Return the module path of an address; raise a UserError if there is no such address."""
        known = self.addresses()
        if address not in known:
            raise UserError(
                f"{self.spec.checkpoint}: no address {address!r}; {nearest(address, known)}"
            )
        return known[address]

    def blocks(self, component: str, path: str) -> dict[str, str]:
        """Return the module path of each block in a list of blocks, by address."""
        count = len(self.model.get_submodule(path))
        return {f"{component}.{i}": f"{path}.{i}" for i in range(count)}

    def component_of(self, path: str) -> str | None:
        """Return the component that a module belongs to, if any; the longest matching root wins."""
        inside = [
            (len(root), name)
            for name, root in self.ROOTS.items()
            if path == root or path.startswith(root + ".")
        ]
        return max(inside)[1] if inside else None

    def leading(self, component: str) -> int:
        """Return the number of tokens before the patches in the outputs of a component."""
        return self.LEADING if component == "vision" else 0

    def spans(self, component: str) -> tuple[str, ...]:
        """Return the spans of a component's addresses, in the order of ``addresses.SPANS``."""
        return ALL_VISION if self.leading(component) else ALL_VISION[1:]

    def scope(self, component: str) -> str:
        """Return a component's scope: ``image``, or ``item`` if it also depends on the question."""
        return "image"

    # Images

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Preprocess one RGB image on the CPU; called once per image."""
        inputs, (text,) = self.processed([image])
        return PreparedImage(inputs, text, self.rows(inputs))

    def prepare_images(self, images: Sequence[Image.Image]) -> list[PreparedImage]:
        """Preprocess RGB images, in one call of the processor if the family allows it."""
        if not vars(type(self)).get("BATCHED", False) or len(images) == 1:
            return [self.prepare_image(image) for image in images]
        inputs, texts = self.processed(images)
        each = [{k: v[i : i + 1] for k, v in inputs.items()} for i in range(len(images))]
        return [PreparedImage(own, text) for own, text in zip(each, texts, strict=True)]

    def processed(self, images: Sequence[Image.Image]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the processor's output for images, and the text that represents each image."""
        prepare = getattr(self.processor, "image_processor", self.processor)
        return dict(prepare(images=list(images), return_tensors="pt")), [""] * len(images)

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return ``PreparedImage.rows`` for the inputs of an image."""
        return int(inputs["pixel_values"].shape[0])

    def batch_inputs(self, images: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return the inputs of several images as one batch on the device."""
        joined = {k: torch.cat([p.inputs[k] for p in images]) for k in images[0].inputs}
        return {
            k: v.to(self.device, self.dtype if v.is_floating_point() else v.dtype)
            for k, v in joined.items()
        }

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder for its hooks; return an empty list, as there is no language model."""
        self.model(**self.batch_inputs(images))
        return []

    def runs(self, images: Sequence[PreparedImage]) -> int:
        """Return the number of times each module of the encoder runs for these images."""
        return 1

    def layout(
        self, component: str, hidden: Any, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return an encoder or connector output as (b, t, d), and the masks (b, t) of its spans.

        There is one row per image, with its tiles in sequence, whatever the module's first axis.
        """
        if hidden.ndim == 4:  # (tiles, h, w, d)
            hidden = hidden.flatten(1, 2)
        if self.PACKED and hidden.ndim == 3:
            hidden = hidden[0]  # (patches of all images, d)
        leading = 0 if self.PACKED else self.leading(component)
        period = 1 if self.PACKED else hidden.shape[1] if hidden.ndim == 3 else 1
        hidden, valid = by_image(hidden, [p.rows for p in images])
        masks = vision_masks(valid, leading, period)
        if hidden.shape[1] == 1 and not self.PACKED and component == "connector":
            return hidden, {"cls": valid}  # one pooled vector for the whole image
        return hidden, {span: masks[span] for span in self.spans(component)}
