"""MiniCPM-V 4.6: slices packed in one row, merged inside the encoder and behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from eyechart.models.families.base import Picture, Seen, rectangle
from eyechart.models.families.llava import Llava


class MiniCPMV46(Llava):
    """MiniCPMV4_6ForConditionalGeneration; some blocks of its language model are recurrent."""

    CONNECTOR = "model.merger"
    PACKED = True
    ROOTS: ClassVar = {**Llava.ROOTS, "connector": "model.merger"}

    def leading(self, region: str) -> int:
        """Say that there is no class token."""
        return 0

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Give the number of patches of all slices."""
        return int(inputs["target_sizes"].prod(dim=1).sum())

    def gather(self, pictures: Sequence[Picture]) -> dict[str, Tensor]:
        """Put the patches of all slices in one row."""
        names = ("pixel_values", "target_sizes")
        axis = {"pixel_values": 3, "target_sizes": 0}
        joined = {n: torch.cat([p.inputs[n] for p in pictures], dim=axis[n]) for n in names}
        return {
            "pixel_values": joined["pixel_values"].to(self.device, self.dtype),
            "target_sizes": joined["target_sizes"].to(self.device),
        }

    def look(self, pictures: Sequence[Picture]) -> list[Seen]:
        """Run encoder and connector, which gives features slice by slice."""
        found = self.body.get_image_features(**self.gather(pictures)).pooler_output
        slices = [len(p.inputs["target_sizes"]) for p in pictures]
        ends = np.cumsum(slices)
        starts = ends - slices
        return [Seen(torch.cat(list(found[a:b]))) for a, b in zip(starts, ends, strict=True)]

    def shown(self, picture: Picture, number: int, of: int) -> str:
        """Give what stands for a picture, with its number in the prompt."""
        opened, closed = self.processor.image_id_start_token, self.processor.image_id_end_token
        return picture.text.replace(f"{opened}0{closed}", f"{opened}{number}{closed}", 1)

    def grid(self, picture: Picture) -> np.ndarray:
        """Give each slice's grid of merged patches; the whole picture is the first."""
        merged = 2 * int(self.model.config.merge_kernel_size[0])
        if self.model.config.downsample_mode == "4x":
            merged //= 2
        sizes = picture.inputs["target_sizes"].tolist()
        return np.concatenate(
            [rectangle(h // merged, w // merged, view) for view, (h, w) in enumerate(sizes)]
        )


FAMILY = MiniCPMV46
