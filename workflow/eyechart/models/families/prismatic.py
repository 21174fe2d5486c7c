"""Prismatic VLMs: a stock encoder, an MLP and Vicuna, from the authors' checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import Tensor

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read_json
from eyechart.models.checkpoint import load_model, one_sentence, quiet
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.llava import Llava
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import home_of
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec

SIDE = 224  # of all supported models
WEIGHTS = "checkpoints/latest-checkpoint.pt"
TURN = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions. USER: {question} ASSISTANT:"
)
LANGUAGE_MODELS = {
    "vicuna-v15-7b": "lmsys/vicuna-7b-v1.5",
    "vicuna-v15-13b": "lmsys/vicuna-13b-v1.5",
}
OF_CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
OF_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class StockEncoder:
    """A frozen encoder: its repository, class, list of blocks and colour scale."""

    repository: str
    name: str
    blocks: str
    scale: tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation per channel


TOWERS = {
    "clip-vit-l": StockEncoder(
        "openai/clip-vit-large-patch14", "CLIPVisionModel", "encoder.layers", OF_CLIP
    ),
    "siglip-vit-so400m": StockEncoder(
        "google/siglip-so400m-patch14-224", "SiglipVisionModel", "encoder.layers", HALF
    ),
    "dinov2-vit-l": StockEncoder(
        "facebook/dinov2-with-registers-large",
        "Dinov2WithRegistersModel",
        "encoder.layer",
        OF_IMAGENET,
    ),
    "in1k-vit-l": StockEncoder(
        "timm/vit_large_patch16_224.augreg_in21k_ft_in1k", "ViTModel", "layers", HALF
    ),
}
# Parts of the names of a ViT's weights, in timm and in transformers
FROM_TIMM = {
    "patch_embed.proj.": "embeddings.patch_embeddings.projection.",
    "pos_embed": "embeddings.position_embeddings",
    "cls_token": "embeddings.cls_token",
    "blocks.": "layers.",
    ".norm1.": ".layernorm_before.",
    ".norm2.": ".layernorm_after.",
    ".attn.proj.": ".attention.o_proj.",
}


class Prismatic(Llava):
    """A checkpoint of TRI-ML/prismatic-vlms, loaded as a LLaVA.

    It contains the connector and the language model. The encoder is stock and frozen, and is read
    after its second-to-last block; it and the tokenizer are companions. Images are padded to
    squares with the mean colour, and their tokens follow the opening token, before all text.
    """

    MODEL = "LlavaForConditionalGeneration"
    MAX_IMAGES_PER_PROMPT = 1

    @classmethod
    def load(cls, checkpoint: Path, spec: Spec, loading: LoadOptions) -> Prismatic:
        """Load the model from the authors' layout, or from weights derived from it.

        Raise a UserError if a companion is missing, or if a part is not supported.
        """
        folder = Path(checkpoint).resolve()
        own = read_json(folder / "config.json")
        parts = own.get("prismatic") or own.get("model")
        if not isinstance(parts, dict):
            raise UserError(
                f"{folder}/config.json: model is missing, expected Prismatic's settings"
            )
        tower = _known(TOWERS, parts, "vision_backbone_id", folder)
        words = _known(LANGUAGE_MODELS, parts, "llm_backbone_id", folder)
        home = home_of(folder, (tower.repository, words), spec)
        with quiet(), one_sentence(home / words):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                home / words, local_files_only=True, padding_side="right"
            )
        tokenizer.add_special_tokens({"pad_token": "<PAD>"})
        tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
        more: dict[str, Any] = {}
        if own.get("model_type") != "llava":
            more = _assembled(folder, home, tower, words, parts, len(tokenizer))
        model, device = load_model(cls.model_class(), folder, spec, loading, **more)
        ends = transformers.GenerationConfig(eos_token_id=tokenizer.eos_token_id)
        model.generation_config = ends
        processor = SimpleNamespace(tokenizer=tokenizer, image_token="<image>", scale=tower.scale)
        adapter = cls(model, processor, spec, device)
        adapter.VISION = f"model.vision_tower.{tower.blocks}"  # type: ignore[misc]
        return adapter

    def leading(self, component: str) -> int:
        """Return the number of class and register tokens before the encoder's patches."""
        config = self.model.config.vision_config
        if component != "vision" or config.model_type.startswith("siglip"):
            return 0
        return 1 + int(getattr(config, "num_register_tokens", 0))

    def read_states(self) -> int:
        """Return the index of the hidden state that is read: the second-to-last block's output."""
        return -2

    # Images

    @property
    def side(self) -> int:
        """Side of the encoder's square input, in pixels; DINOv2 was trained on larger images."""
        return min(SIDE, int(self.model.config.vision_config.image_size))

    def tokens_per_tile(self) -> int:
        """Return the number of patches of an image."""
        return (self.side // self.patch) ** 2

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Pad one RGB image to a square with the mean colour, resize, and scale its colours."""
        mean, deviation = (np.array(part, dtype=np.float32) for part in self.processor.scale)
        gap = [(max(image.size) - length) // 2 for length in image.size]
        fill = tuple(int(255 * part) for part in mean)
        padded = ImageOps.expand(image, (gap[0], gap[1], gap[0], gap[1]), fill)
        # if the padding is a pixel short of a square, the longer side is cropped to fit
        fitted = ImageOps.fit(padded, (self.side, self.side), Image.Resampling.BICUBIC)
        pixels = (np.asarray(fitted, dtype=np.float32) / 255 - mean) / deviation
        rows = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
        return PreparedImage({"pixel_values": rows}, "<image>" * self.tokens_per_tile())

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector; the connector reads only the patches."""
        body = self.model.model
        states = body.vision_tower(**self.batch_inputs(images), output_hidden_states=True)
        patches = states.hidden_states[self.read_states()][:, self.leading("vision") :]
        return [EncodedImage(rows) for rows in body.multi_modal_projector(patches)]

    # Prompts

    def turn(self, prompt: str, images: int) -> str:
        """Return the conversation as text in Vicuna's format."""
        return (self.spec.turn or TURN).format(images="", question=prompt)

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the opening token, the image tokens, and the conversation up to the answer."""
        self.check_number(prompt, len(images))
        opening, *words = self.tokenizer(self.turn(prompt, len(images)))["input_ids"]
        if self.image_id in words:
            raise UserError(f"prompt {prompt!r} contains '<image>', the placeholder of an image")
        row = Row([opening, *[self.image_id] * self.tokens_per_tile() * len(images), *words])
        self.check_length(prompt, len(row.ids))
        return row


def _known(table: dict[str, Any], parts: dict[str, Any], key: str, folder: Path) -> Any:
    """Return a table's entry for a part; raise a UserError if there is none."""
    name = str(parts.get(key))
    if name not in table:
        raise UserError(
            f"{folder}/config.json: model.{key}: {name!r} is not supported; {nearest(name, table)}"
        )
    return table[name]


def _assembled(
    folder: Path,
    home: Path,
    tower: StockEncoder,
    words: str,
    parts: dict[str, Any],
    vocabulary: int,
) -> dict[str, Any]:
    """Return configuration and weights of the LLaVA assembled from a checkpoint and companions."""
    if parts.get("arch_specifier") not in ("gelu-mlp", "no-align+gelu-mlp"):
        raise UserError(
            f"{folder}/config.json: model.arch_specifier: {parts.get('arch_specifier')!r}, "
            "expected gelu-mlp or no-align+gelu-mlp"
        )
    with quiet(), one_sentence(folder / WEIGHTS):
        held = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True, mmap=True)
    held = held["model"]
    vision, encoder = _encoder(home / tower.repository, tower)
    with quiet(), one_sentence(home / words):
        text = transformers.AutoConfig.from_pretrained(home / words, local_files_only=True)
    weights = {f"model.vision_tower.{name}": value for name, value in encoder.items()}
    for name, value in held["projector"].items():
        layer = {"0": "linear_1", "2": "linear_2"}.get(name.split(".")[1], name)
        weights[f"model.multi_modal_projector.{layer}.{name.split('.')[-1]}"] = value
    for name, value in held["llm_backbone"].items():
        inner = name.removeprefix("llm.")
        weights[inner.replace("model.", "model.language_model.", 1)] = value
    text.vocab_size = len(weights["lm_head.weight"])
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=vocabulary - 1,
        vision_feature_layer=-2,
    )
    config.prismatic = parts  # kept when a derived model is saved
    return {"config": config, "state_dict": weights}


def _encoder(folder: Path, tower: StockEncoder) -> tuple[Any, dict[str, Tensor]]:
    """Return configuration and weights of the stock encoder."""
    if tower.name == "ViTModel":
        return _from_timm(load_file(folder / "model.safetensors"))
    with quiet(), one_sentence(folder):
        made = getattr(transformers, tower.name).from_pretrained(folder, local_files_only=True)
    return made.config, made.state_dict()


def _from_timm(weights: dict[str, Tensor]) -> tuple[Any, dict[str, Tensor]]:
    """Convert timm weights to a transformers ViT's configuration and weights; heads are 64 wide."""
    width, _, patch, _ = weights["patch_embed.proj.weight"].shape
    found: dict[str, Tensor] = {  # transformers adds a pooler, which is unused
        "pooler.dense.weight": torch.zeros(width, width),
        "pooler.dense.bias": torch.zeros(width),
    }
    for theirs, value in weights.items():
        ours = reduce(lambda name, pair: name.replace(*pair, 1), FROM_TIMM.items(), theirs)
        if ".attn.qkv." in ours:
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                found[ours.replace(".attn.qkv.", f".attention.{part}_proj.")] = piece
        elif not ours.startswith("head."):
            found[f"layer{ours}" if ours.startswith("norm.") else ours] = value
    side = round((weights["pos_embed"].shape[1] - 1) ** 0.5) * patch
    config = transformers.ViTConfig(
        hidden_size=width,
        num_hidden_layers=1 + max(int(n.split(".")[1]) for n in weights if n.startswith("blocks.")),
        num_attention_heads=max(1, width // 64),
        intermediate_size=weights["blocks.0.mlp.fc1.weight"].shape[0],
        image_size=side,
        patch_size=patch,
        layer_norm_eps=1e-6,
    )
    return config, found


FAMILY = Prismatic
