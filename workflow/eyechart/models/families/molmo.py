"""Molmo (first version): overlapping crops; features are added to the patch tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import IMAGE, RemoteAdapter
from eyechart.models.patch_positions import merge, views_of
from eyechart.models.spans import Tokens

MARKS = ("<im_start>", "<im_end>", "<im_col>", "<im_patch>", "<|image|>")
PATCH = "<im_patch>"


class _Nothing:
    """A class without instances."""


class Molmo(RemoteAdapter):
    """MolmoForCausalLM; the overlap of two crops reaches the language model only once.

    The connector's rows are in the language model's order, without duplicates. There is one image
    per prompt, because the processor numbers the patches of all images from the first image.
    """

    MODEL = "AutoModelForCausalLM"
    VISION = "model.vision_backbone.image_vit.transformer.resblocks"
    CONNECTOR = "model.vision_backbone.image_projector"
    BODY = "model"
    LM = "model.transformer.blocks"
    NORM = "model.transformer.ln_f"
    LEADING = 1
    OLDEST = (4, 48)
    NEWEST = (4, 57)
    TOKENIZER_ONLY = False
    STAND_INS: ClassVar = {"tensorflow": {"Tensor": _Nothing, "Variable": _Nothing}}
    ROOTS: ClassVar = {
        "vision": "model.vision_backbone",
        "connector": "model.vision_backbone.image_projector",
        "lm": "model.transformer",
    }

    def component_of(self, path: str) -> str | None:
        """Return the component that a module belongs to; 2 x 2 pooling is part of the connector."""
        if path.startswith("model.vision_backbone.image_pooling_2d"):
            return "connector"
        return super().component_of(path)

    def read_blocks(self) -> list[int]:
        """Return the blocks whose outputs are joined and read by the connector."""
        return list(self.body.vision_backbone.config.vit_layers or [-1])

    def mask_argument(self, address: str) -> tuple[str, bool]:
        """Return the name of a block's attention-mask argument, and whether None means causal."""
        return "attention_bias", super().mask_argument(address)[1]

    def image_marker_ids(self) -> set[int]:
        """Return the ids of all tokens that only images use: placeholders and delimiters."""
        return {IMAGE, *(self.processor.special_token_ids[mark] for mark in MARKS)}

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Cut one RGB image into crops and write its tokens."""
        found: dict[str, Any] = self.processor.process(images=[image], text="")
        ids = found["input_ids"].tolist()
        ends = self.processor.special_token_ids["<im_end>"]
        last = len(ids) - ids[::-1].index(ends)
        places = found["image_input_idx"].flatten()  # of each row in the prompt; negative: dropped
        order = torch.argsort(places)[int((places < 0).sum()) :]
        inputs = {
            "images": found["images"],
            "image_masks": found["image_masks"],
            "order": order,
            "ids": torch.tensor(ids[1:last]),
        }
        return PreparedImage(inputs, rows=len(found["images"]))

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector over the crops of all images as if they were one image."""
        inputs = [{k: p.inputs[k] for k in ("images", "image_masks")} for p in images]
        joined = self.batch_inputs([PreparedImage(i) for i in inputs])
        found, _ = self.body.vision_backbone(joined["images"][None], joined["image_masks"][None])
        return [EncodedImage(rows) for rows in self._in_order(found, images)]

    def layout(
        self, component: str, hidden: Tensor, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out crops, or the rows that the language model gets from them."""
        if component == "vision":
            return super().layout(component, hidden, images)
        rows = self._in_order(hidden, images)
        return self.pad_tiles(component, rows, [PreparedImage({})] * len(rows))

    def _in_order(self, hidden: Tensor, images: Sequence[PreparedImage]) -> list[Tensor]:
        """Return the rows of each image from (1, crops, tokens, d), in prompt order."""
        parts = hidden[0].split([p.rows for p in images])
        return [
            part.flatten(0, 1)[p.inputs["order"].to(part.device)]
            for part, p in zip(parts, images, strict=True)
        ]

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the image tokens, then the user's turn."""
        self.check_number(prompt, len(images))
        text, style = prompt, "role"
        if self.spec.turn is not None:
            text, style = self.spec.turn.format(images="", question=prompt), "none"
        words = self.processor.get_tokens_input(text, style, style == "role")
        self.check_marks(prompt, words)
        patch = self.processor.special_token_ids[PATCH]
        shown = [i for p in images for i in p.inputs["ids"].tolist()]
        first = self.tokenizer.bos_token_id or self.tokenizer.eos_token_id
        row = Row([first, *(IMAGE if i == patch else i for i in shown), *words])
        self.check_length(prompt, len(row.ids))
        return row

    def embed(self, tokens: Tokens) -> Tensor:
        """Return token embeddings, with image features added to the patches' embeddings."""
        patch = self.processor.special_token_ids[PATCH]
        embedded = self.words(torch.where(tokens.ids == IMAGE, patch, tokens.ids))
        if not tokens.encoded:
            return embedded
        shown = torch.zeros_like(embedded)
        filled = torch.cat([s.features for s in tokens.encoded]).to(embedded)
        return embedded + shown.masked_scatter(tokens.image[:, :, None], filled)

    def words(self, ids: Tensor) -> Tensor:
        """Embed token ids."""
        found: Tensor = self.body.transformer.wte(ids)
        return found

    def run(self, embedded: Tensor, tokens: Tokens) -> Tensor:
        """Run the language model; its code includes the head."""
        count = torch.arange(tokens.ids.shape[1], device=self.device)
        scores: Tensor = self.body(
            input_ids=None,
            input_embeddings=embedded,
            attention_mask=tokens.valid,
            position_ids=count.expand(tokens.ids.shape),
            use_cache=False,
        ).logits
        return scores

    def score(self, hidden: Tensor) -> Tensor:
        """Return the logits that ``run`` has already computed."""
        return hidden

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return each crop as an image, rebuilt from its patches."""
        pixels = image.inputs["images"].float().numpy()  # (crops, patches, colours)
        high, wide = self.body.config.image_num_patch
        laid = pixels.reshape(-1, high, wide, self.patch, self.patch, 3).transpose(0, 5, 1, 3, 2, 4)
        return list(laid.reshape(len(laid), 3, high * self.patch, wide * self.patch))

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a crop."""
        return int(self.body.config.vision_backbone.image_patch_size)

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return int(self.body.config.image_pooling_h)

    def output_boxes(self, patches: np.ndarray, image: PreparedImage, component: str) -> np.ndarray:
        """Return the boxes of pooled patches in prompt order, without duplicates."""
        pooled = [merge(view, self.merged).reshape(-1, 5) for view in views_of(patches)]
        areas = np.concatenate(pooled)[image.inputs["order"].numpy()]
        return np.concatenate([self.grid(image), areas], axis=1)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of the whole image, then the joined grid of the crops."""
        ids = image.inputs["ids"].tolist()
        names = self.processor.special_token_ids
        opening = [n for n, i in enumerate(ids) if i == names["<im_start>"]]
        views = []
        for view, (a, b) in enumerate(zip(opening, [*opening[1:], len(ids)], strict=True)):
            lines = ids[a:b].count(names["<im_col>"])
            views.append(rectangle(lines, ids[a:b].count(names[PATCH]) // lines, view))
        return np.concatenate(views)


FAMILY = Molmo
