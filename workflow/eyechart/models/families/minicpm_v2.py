"""MiniCPM-V 2.0: slices of any shape, each resampled by the same learned queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import IMAGE, RemoteAdapter

TURN = "<用户>{images}{question}<AI>"


class MiniCPMV2(RemoteAdapter):
    """MiniCPMV; encoder and connector run once per slice, because slices differ in shape."""

    VISION = "vpm.blocks"
    CONNECTOR = "resampler"
    BODY = "llm.model"
    HEAD = "llm.lm_head"
    LM = "llm.model.layers"
    NORM = "llm.model.norm"
    OLDEST = (4, 36)
    NEWEST = (4, 57)
    ROOTS: ClassVar = {"vision": "vpm", "connector": "resampler", "lm": "llm"}

    def leading(self, component: str) -> int:
        """Return 1 if the encoder has a class token."""
        return int(self.model.vpm.num_prefix_tokens) if component == "vision" else 0

    def image_marker_ids(self) -> set[int]:
        """Return the ids of all tokens that only images use: placeholders and delimiters."""
        marks = [getattr(self.tokenizer, f"{a}_{b}") for a in ("im", "slice") for b in _ENDS]
        return {IMAGE, *self.tokenizer.convert_tokens_to_ids(marks)}

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Cut one RGB image into slices and write its placeholder text."""
        slices, text = self.model.get_slice_image_placeholder(image, self.tokenizer)
        inputs = {str(n): self.model.transform(part) for n, part in enumerate(slices)}
        return PreparedImage(inputs, text, rows=len(slices))

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector, slice by slice."""
        every = [[s.to(self.device, self.dtype) for s in p.inputs.values()] for p in images]
        found = [self.model.get_vision_embedding(slices) for slices in every]
        return [EncodedImage(slices.flatten(0, 1)) for slices in found]  # from (slices, queries, d)

    def runs(self, images: Sequence[PreparedImage]) -> int:
        """Return the number of slices."""
        return sum(p.rows for p in images)

    def layout(
        self, component: str, hidden: Any, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out slices; a single slice is not in a list."""
        outputs = hidden if isinstance(hidden, list) else [hidden]
        return self.pad_tiles(component, [output[0] for output in outputs], images)

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the user's turn, image first."""
        self.check_number(prompt, len(images))
        shown = "".join(p.text + "\n" for p in images)
        text = (self.spec.turn or TURN).format(images=shown, question=prompt)
        ids = list(self.tokenizer.encode(text))
        opening = self.tokenizer.convert_tokens_to_ids(self.tokenizer.im_start)
        starts = [n + 1 for n, i in enumerate(ids) if i == opening]
        if len(starts) != sum(p.rows for p in images):
            raise UserError(
                f"prompt {prompt!r} contains {self.tokenizer.im_start!r}, which starts an image"
            )
        queries = int(self.model.config.query_num)
        for start in starts:
            ids[start : start + queries] = [IMAGE] * queries
        self.check_length(prompt, len(ids))
        return Row(ids)

    def words(self, ids: Tensor) -> Tensor:
        """Embed token ids, with the language model's scale."""
        found: Tensor = super().words(ids) * self.model.llm.config.scale_emb
        return found

    def score(self, hidden: Tensor) -> Tensor:
        """Return the logits; the head expects scaled-down hidden states."""
        config = self.model.llm.config
        return super().score(hidden / (config.hidden_size / config.dim_model_base))

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return the slices of an image."""
        return [part.float().numpy() for part in image.inputs.values()]

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a tile."""
        return int(self.model.vpm.patch_embed.patch_size[0])

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return one row per query; a query has no position in its slice."""
        queries = int(self.model.config.query_num)
        return np.array([[n, -1, -1] for n in range(image.rows) for _ in range(queries)])


_ENDS = ("start", "end")
FAMILY = MiniCPMV2
