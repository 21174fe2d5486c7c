"""Mixtures: LLaVAs trained here, with one or two encoders and a chosen connector."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyechart.core.errors import UserError
from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.llava import Llava
from eyechart.models.mixture import QUERIED, Mixture


class MixtureAdapter(Llava):
    """``models.mixture.Mixture``; a second encoder's blocks are numbered after the first's."""

    @classmethod
    def model_class(cls) -> Any:
        """Return the class that loads the model."""
        return Mixture

    def addresses(self) -> dict[str, str]:
        """Return the module path of every address, in execution order."""
        vision = [path for paths in self._blocks() for path in paths]
        numbered = {f"vision.{i}": path for i, path in enumerate(vision)}
        return {**numbered, "connector": self.CONNECTOR or "", **self._of_language_model()}

    def read_blocks(self) -> list[int]:
        """Return the numbers of the blocks that the connector reads, one per encoder."""
        found, before = [], 0
        for paths, layer in zip(self._blocks(), self._towers.config.layers, strict=True):
            found.append(before + len(paths) + layer)
            before += len(paths)
        return found

    def leading(self, component: str) -> int:
        """Return the number of tokens before the patches in the outputs of all encoders."""
        if component != "vision":
            return 0
        counts = {
            1 + int(one.get("num_register_tokens", 0)) if "siglip" not in one["model_type"] else 0
            for one in self._towers.config.towers
        }
        if len(counts) > 1:
            raise UserError(
                f"{self.spec.checkpoint}: encoders with {min(counts)} and {max(counts)} tokens "
                "before their patches, expected equal numbers"
            )
        return counts.pop()

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid position of each image token; query tokens have none."""
        config = self.model.config
        if config.connector in QUERIED:
            count = config.image_seq_length
            return np.concatenate([np.zeros((count, 1)), np.full((count, 2), -1)], 1).astype(int)
        found = square(self.tokens_per_tile(), image.rows)
        return np.repeat(found, 2, axis=0) if config.mix == "interleaved" else found

    @property
    def _towers(self) -> Any:
        return self.model.model.vision_tower

    def _blocks(self) -> list[list[str]]:
        """Return the paths of each encoder's blocks."""
        found = []
        for number, tower in enumerate(self._towers.towers):
            names = ("encoder.layers", "encoder.layer", "layers")
            name = next(n for n in names if _has(tower, n))
            path = f"{self.ROOTS['vision']}.towers.{number}.{name}"
            found.append(list(self.blocks("vision", path).values()))
        return found

    def _of_language_model(self) -> dict[str, str]:
        return {**self.blocks("lm", self.LM), "lm.norm": self.NORM}


def _has(module: Any, path: str) -> bool:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module is not None


FAMILY = MixtureAdapter
