"""MiniCPM-V 4.6: slices packed in one row; patches are merged inside and after the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.llava import Llava
from eyechart.models.patch_positions import merge, on_grid, views_of


class MiniCPMV46(Llava):
    """MiniCPMV4_6ForConditionalGeneration; some blocks of its language model are recurrent."""

    CONNECTOR = "model.merger"
    PACKED = True
    ROOTS: ClassVar = {**Llava.ROOTS, "connector": "model.merger"}

    def leading(self, component: str) -> int:
        """Return 0, since there is no class token."""
        return 0

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return the number of patches of all slices."""
        return int(inputs["target_sizes"].prod(dim=1).sum())

    def batch_inputs(self, images: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return the patches of all slices in one row."""
        names = ("pixel_values", "target_sizes")
        axis = {"pixel_values": 3, "target_sizes": 0}
        joined = {n: torch.cat([p.inputs[n] for p in images], dim=axis[n]) for n in names}
        return {
            "pixel_values": joined["pixel_values"].to(self.device, self.dtype),
            "target_sizes": joined["target_sizes"].to(self.device),
        }

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector, which returns features per slice."""
        found = self.body.get_image_features(**self.batch_inputs(images)).pooler_output
        slices = [len(p.inputs["target_sizes"]) for p in images]
        ends = np.cumsum(slices)
        starts = ends - slices
        return [
            EncodedImage(torch.cat(list(found[a:b]))) for a, b in zip(starts, ends, strict=True)
        ]

    def image_text(self, image: PreparedImage, number: int, of: int) -> str:
        """Return the placeholder text of an image, with its number in the prompt."""
        opened, closed = self.processor.image_id_start_token, self.processor.image_id_end_token
        return image.text.replace(f"{opened}0{closed}", f"{opened}{number}{closed}", 1)

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return each slice as an image, rebuilt from its patches."""
        pixels = image.inputs["pixel_values"][0].float().numpy()  # (3, side, patches x side)
        side, found, done = self.patch, [], 0
        for high, wide in image.inputs["target_sizes"].tolist():
            own = pixels[:, :, done : done + high * wide * side]
            done += high * wide * side
            laid = own.reshape(3, side, high, wide, side).swapaxes(1, 2)
            found.append(laid.reshape(3, high * side, wide * side))
        return found

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        merged = 2 * int(self.model.config.merge_kernel_size[0])
        return merged // 2 if self.model.config.downsample_mode == "4x" else merged

    def box_key(self, component: str, module: str) -> str:
        """Return a separate name for blocks after the merger inside the encoder."""
        first = int(self.model.config.vision_config.insert_layer_id) + 1
        if self.model.config.downsample_mode == "4x" or not module.startswith(f"{self.VISION}."):
            return component
        block = int(module.removeprefix(f"{self.VISION}.").partition(".")[0])
        return f"{component}.{first}" if block >= first else component

    def output_boxes(self, patches: np.ndarray, image: PreparedImage, component: str) -> np.ndarray:
        """Return the boxes of merged patches; inside the encoder, fewer patches share a token."""
        if not component.startswith("vision"):
            return super().output_boxes(patches, image, component)
        views = [merge(view, 2) for view in views_of(patches)]
        grid = [rectangle(len(v), len(v[0]), n) for n, v in enumerate(views)]
        return on_grid(np.concatenate(grid), views)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of merged patches of each slice; the whole image comes first."""
        sizes = (image.inputs["target_sizes"] // self.merged).tolist()
        return np.concatenate([rectangle(h, w, view) for view, (h, w) in enumerate(sizes)])


FAMILY = MiniCPMV46
