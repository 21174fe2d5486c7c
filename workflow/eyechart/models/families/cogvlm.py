"""CogVLM (first version): every block has a visual expert next to the language expert."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import transformers
from PIL import Image
from torch import Tensor

from eyechart.models.checkpoint import one_sentence, quiet
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import EDGE, IMAGE, RemoteAdapter
from eyechart.models.load_options import LoadOptions
from eyechart.models.spans import Tokens
from eyechart.models.spec import Spec
from eyechart.models.stub_packages import attention

TOKENIZER = "lmsys/vicuna-7b-v1.5"  # CogVLM has none of its own


class CogVLM(RemoteAdapter):
    """CogVLMForCausalLM; patches share one position and are enclosed by two learned vectors.

    The tokenizer is Vicuna's. Its files are in the checkpoint's folder, or its repository is a
    companion.
    """

    MODEL = "AutoModelForCausalLM"
    VISION = "model.vision.transformer.layers"
    CONNECTOR = "model.vision.linear_proj"
    BODY = "model"
    LM = "model.layers"
    NORM = "model.norm"
    LEADING = 1
    PIXELS = "pixels"
    OLDEST = (4, 35)
    NEWEST = (4, 57)
    STAND_INS: ClassVar = {
        "xformers": {},
        "xformers.ops": {"memory_efficient_attention": attention},
    }
    ROOTS: ClassVar = {
        "vision": "model.vision",
        "connector": "model.vision.linear_proj",
        "lm": "model",
    }

    @classmethod
    def companions(cls, folder: Path) -> tuple[str, ...]:
        """Return the tokenizer's repository, unless its files are in the folder."""
        return () if (folder / "tokenizer.model").is_file() else (TOKENIZER,)

    @classmethod
    def load_text(cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions) -> Any:
        """Load Vicuna's tokenizer."""
        place = home / TOKENIZER if cls.companions(folder) else folder
        with quiet(), one_sentence(place):
            return transformers.LlamaTokenizer.from_pretrained(place, local_files_only=True)

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Preprocess one RGB image with the model's own code, which makes it square."""
        pixels = self._built("", [image], "base")["images"][0]
        return PreparedImage({"pixels": pixels[None]})

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector; each image includes the learned vectors."""
        found = self.body.vision(self.batch_inputs(images)["pixels"])
        return [EncodedImage(rows[1:-1], {"written": rows}) for rows in found]

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the image tokens and then the question, in the model's VQA format."""
        self.check_number(prompt, len(images))
        turn, pattern = prompt, "vqa"
        if self.spec.turn is not None:
            turn, pattern = self.spec.turn.format(images="", question=prompt), "base"
        first, *words = self._built(turn, None, pattern)["input_ids"].tolist()
        shown = [EDGE, *[IMAGE] * self.tokens_per_tile(), EDGE] * len(images)
        row = Row([first, *shown, *words])
        self.check_length(prompt, len(row.ids))
        return row

    def run(self, embedded: Tensor, tokens: Tokens) -> Tensor:
        """Run the language model; its code counts positions by token type."""
        kinds = (tokens.ids < 0).long()  # 1: the visual expert
        valid = tokens.valid.long()
        code: Any = sys.modules[type(self.model).__module__]
        hidden: Tensor = self.body.llm_forward(
            inputs_embeds=embedded,
            token_type_ids=kinds,
            attention_mask=valid,
            position_ids=code.build_position_ids(kinds, valid),
            use_cache=False,
        )[0]
        return hidden

    def tokens_per_tile(self) -> int:
        """Return the number of patches of an image."""
        config = self.model.config.vision_config
        return (int(config["image_size"]) // int(config["patch_size"])) ** 2

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a tile."""
        return int(self.model.config.vision_config["patch_size"])

    def grid(self, image: PreparedImage) -> Any:
        """Return the position of each patch."""
        return square(self.tokens_per_tile(), 1)

    def _built(self, text: str, images: list[Image.Image] | None, pattern: str) -> dict[str, Any]:
        built: dict[str, Any] = self.model.build_conversation_input_ids(
            self.tokenizer, query=text, history=[], images=images, template_version=pattern
        )
        return built


FAMILY = CogVLM
