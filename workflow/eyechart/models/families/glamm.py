"""GLaMM: LLaVA with a region encoder and a mask encoder, which are not examined."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor, nn

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.models.checkpoint import load_model, one_sentence, quiet
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import IMAGE, RemoteAdapter
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec
from eyechart.models.stub_packages import importing_from

SOURCE = "groundingLMM"  # the repository of its code
OPENING = "The <im_start><image><im_end> provides an overview of the picture.\n"


class _ConvModule(nn.Module):
    """Replacement for mmcv's ConvModule in the region encoder: convolution, group norm, ReLU."""

    def __init__(self, i: int, o: int, size: int, norm_cfg: dict[str, Any], **more: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(i, o, size, padding=more.get("padding", 0), bias=False)
        self.gn = nn.GroupNorm(norm_cfg["num_groups"], o)
        self.activate = nn.ReLU(inplace=True)


class _RoILayer(nn.Module):
    """Holder of a pooled region's output size."""

    def __init__(self, output_size: int) -> None:
        super().__init__()
        self.output_size = (output_size, output_size)


class _RoIExtractor(nn.Module):
    """Replacement for mmdet's BaseRoIExtractor in the region encoder: pooling without weights."""

    def __init__(self, roi_layer: Any, out_channels: int, strides: Any, init_cfg: Any) -> None:
        super().__init__()
        self.roi_layers = nn.ModuleList(_RoILayer(roi_layer["output_size"]) for _ in strides)
        self.out_channels, self.featmap_strides = out_channels, strides


def _keep(module: nn.Module, *mean_and_deviation: float, **more: float) -> None:
    """Do nothing, since the weights are loaded later."""


class GLaMM(RemoteAdapter):
    """GLaMMForCausalLM; its code and its encoder are companions of the checkpoint.

    config.json names the encoder (mm_vision_tower). Region prompts are not supported.
    """

    VISION = "model.vision_tower.vision_tower.vision_model.encoder.layers"
    CONNECTOR = "model.mm_projector"
    BODY = "model"
    LM = "model.layers"
    NORM = "model.norm"
    LEADING = 1
    OLDEST = (4, 31)
    NEWEST = (4, 35)
    UNUSED = ("model.vision_tower.",)
    STAND_INS: ClassVar = {
        "mmcv": {},
        "mmcv.cnn": {"ConvModule": _ConvModule, "Linear": nn.Linear, "normal_init": _keep},
        "mmdet": {},
        "mmdet.models": {"BaseRoIExtractor": _RoIExtractor},
    }
    ROOTS: ClassVar = {
        "vision": "model.vision_tower",
        "connector": "model.mm_projector",
        "lm": "model",
    }

    def component_of(self, path: str) -> str | None:
        """Return the component that a module belongs to; the region and mask modules have none."""
        apart = ("grounding_encoder", "region_encoder", "text_hidden_fcs")
        return (
            None
            if path.startswith(tuple(f"model.{a}" for a in apart))
            else super().component_of(path)
        )

    @classmethod
    def companions(cls, folder: Path) -> tuple[str, ...]:
        """Return the repositories of the code and of the encoder."""
        return SOURCE, str(read_json(folder / "config.json")["mm_vision_tower"])

    @classmethod
    def load_text(cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions) -> Any:
        """Load the tokenizer."""
        with quiet(), one_sentence(folder):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, padding_side="right", use_fast=False
            )
        tokenizer.pad_token = tokenizer.unk_token
        return tokenizer

    @classmethod
    def load_weights(
        cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions, processor: Any
    ) -> tuple[Any, torch.device]:
        """Load the model with its repository's class, then its encoder."""
        with importing_from(home / SOURCE), one_sentence(home / SOURCE):
            made = importlib.import_module("model.GLaMM").GLaMMForCausalLM
            importlib.import_module("model.llava.conversation")
        marks = {"seg": "[SEG]", "bbox": "<bbox>", "bop": "<p>", "eop": "</p>"}
        ids = {f"{k}_token_idx": processor.convert_tokens_to_ids(m) for k, m in marks.items()}
        model, device = load_model(made, folder, spec, loading, cls.UNUSED, **ids)
        with quiet(), one_sentence(folder):
            model.get_model().initialize_vision_modules(model.config)
        encoder = model.get_model().get_vision_tower().to(device, model.dtype)
        encoder.eval().requires_grad_(False)
        # decorated with no_grad, but saliency maps and tuning need gradients through the encoder
        encoder.forward = inspect.unwrap(type(encoder).forward).__get__(encoder)
        return model, device

    @property
    def encoder(self) -> Any:
        """Vision encoder, with its image processor."""
        return self.body.get_vision_tower()

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Preprocess one RGB image."""
        return PreparedImage(
            dict(self.encoder.image_processor.preprocess(image, return_tensors="pt"))
        )

    def read_states(self) -> int:
        """Return the index of the hidden state that the connector reads."""
        return int(self.encoder.select_layer)

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector."""
        found, _ = self.model.encode_images(self.batch_inputs(images)["pixel_values"])
        return [EncodedImage(rows) for rows in found]

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the conversation's tokens in the training format, up to the answer."""
        self.check_number(prompt, len(images))
        text = self.turn(prompt, len(images))
        pieces = text.split("<image>")
        if len(pieces) != len(images) + 1:
            raise UserError(f"prompt {prompt!r} contains '<image>', the placeholder of an image")
        ids = list(self.tokenizer(pieces[0])["input_ids"])
        for piece in pieces[1:]:  # the tokenizer adds an opening token to each piece
            ids += [IMAGE] * self.tokens_per_tile() + list(self.tokenizer(piece)["input_ids"][1:])
        self.check_length(prompt, len(ids))
        return Row(ids)

    def turn(self, prompt: str, images: int) -> str:
        """Return the conversation as text."""
        if self.spec.turn is not None:
            return self.spec.turn.format(images=OPENING * images, question=prompt)
        code: Any = importlib.import_module("model.llava.conversation")
        talk = code.conv_templates["llava_v1"].copy()
        talk.messages = []
        talk.append_message(talk.roles[0], OPENING * images + prompt)
        talk.append_message(talk.roles[1], "")
        return str(talk.get_prompt())

    def tokens_per_tile(self) -> int:
        """Return the number of patches of an image."""
        return int(self.encoder.num_patches)

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a tile."""
        return int(self.encoder.config.patch_size)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the position of each patch."""
        return square(self.tokens_per_tile(), 1)

    def words(self, ids: Tensor) -> Tensor:
        """Embed token ids."""
        found: Tensor = self.body.embed_tokens(ids)
        return found


FAMILY = GLaMM
