"""What all families share: loading, pictures, the vision encoder, addresses and their spans."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import transformers
from PIL import Image
from torch import Tensor

from eyechart.errors import UserError
from eyechart.models.spans import vision_masks
from eyechart.models.spec import Spec


@dataclass(frozen=True)
class Picture:
    """One picture as the model takes it.

    Attributes
    ----------
    inputs : dict of Tensor, on the CPU, first axis 1
        What the vision encoder takes.
    text : str
        What stands for the picture in a prompt: its image tokens, written out.
    """

    inputs: dict[str, Tensor]
    text: str


class Adapter:
    """A loaded encoder; a family says which class loads it and where its blocks are.

    Class attributes
    ----------------
    MODEL : transformers class
    VISION, CONNECTOR : module paths of the encoder's list of blocks, and of the connector
    ROOTS : module path of each region
    SPANS : spans of each region's addresses, in the order of ``addresses.SPANS``
    """

    MODEL: ClassVar[Any]
    VISION: ClassVar[str]
    CONNECTOR: ClassVar[str]
    ROOTS: ClassVar[dict[str, str]]
    SPANS: ClassVar[dict[str, tuple[str, ...]]]

    def __init__(self, model: Any, processor: Any, spec: Spec, device: torch.device) -> None:
        self.model = model.eval().requires_grad_(False).to(device)
        self.processor = processor
        self.spec = spec
        self.device = device

    @classmethod
    def load(cls, checkpoint: Path, spec: Spec, device: torch.device) -> Self:
        """Load model and processor from a folder in Hugging Face layout.

        Raises
        ------
        UserError
            If the folder is no checkpoint, or its weights and the model differ in any key or shape:
            transformers would only warn, and go on with random weights.
        """
        if not (Path(checkpoint) / "config.json").is_file():
            raise UserError(f"{checkpoint}: no config.json, expected a Hugging Face model")
        where = {"local_files_only": True, "trust_remote_code": spec.trust_remote_code}
        with quiet():
            try:
                model, loading = cls.MODEL.from_pretrained(
                    checkpoint,
                    dtype=getattr(torch, spec.dtype),
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,  # reported below instead
                    **where,
                )
                processor = transformers.AutoProcessor.from_pretrained(checkpoint, **where)
            except (OSError, ValueError, RuntimeError) as error:
                raise UserError(f"{checkpoint}: {' '.join(str(error).split())}") from None
        for kind in ("missing", "unexpected", "mismatched"):
            for key in sorted(str(k) for k in loading[f"{kind}_keys"]):
                raise UserError(f"{checkpoint}: {kind} key {key} in the weights of {spec.family}")
        return cls(model, processor, spec, device)

    def addresses(self) -> dict[str, str]:
        """Give the module path of every address, in the order in which they run."""
        blocks = len(self.model.get_submodule(self.VISION))
        found = {f"vision.{i}": f"{self.VISION}.{i}" for i in range(blocks)}
        return {**found, "connector": self.CONNECTOR}

    def region(self, path: str) -> str | None:
        """Give the region that a module stands in, if any."""
        for name, root in self.ROOTS.items():
            if path == root or path.startswith(root + "."):
                return name
        return None

    def picture(self, image: Image.Image) -> Picture:
        """Prepare one RGB picture: what is done once per picture on the CPU."""
        prepare = getattr(self.processor, "image_processor", self.processor)
        inputs = prepare(images=[image], return_tensors="pt")
        return Picture(dict(inputs), self.placeholder(inputs))

    def placeholder(self, inputs: Any) -> str:
        """Give what stands for a picture in a prompt; nothing for an encoder."""
        return ""

    def look(self, pictures: Sequence[Picture]) -> Sequence[Tensor]:
        """Run encoder and connector once; give each picture's features as they leave them."""
        joined = {k: torch.cat([p.inputs[k] for p in pictures]) for k in pictures[0].inputs}
        inputs = {
            k: v.to(self.device, self.model.dtype if v.is_floating_point() else v.dtype)
            for k, v in joined.items()
        }
        features: Sequence[Tensor] = self.model.get_image_features(**inputs).pooler_output
        return features

    def layout(self, region: str, hidden: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Give an encoder or connector output as (b, t, d), and the masks (b, t) of its spans.

        Families that pack or tile their pictures override this.
        """
        if hidden.ndim == 2:
            hidden = hidden[:, None]
        b, t, _ = hidden.shape
        masks = vision_masks(b, t, "cls" in self.SPANS[region], hidden.device)
        return hidden, {span: masks[span] for span in self.SPANS[region]}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the reports and bars of transformers' loading: what they say is raised as errors."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
