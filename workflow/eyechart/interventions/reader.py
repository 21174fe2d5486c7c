"""A loaded model with the images and prompts used by interventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from eyechart.core.errors import UserError
from eyechart.data.open_image import open_image
from eyechart.inference import passes
from eyechart.inference.choice_tokens import Script, script_of
from eyechart.inference.prompts import PromptStyle
from eyechart.interventions.asked import AskedItem
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter

KEPT = 512  # maximum numbers of encoded images and of prompts


class Reader:
    """A loaded model that caches its latest encoded images and tokenized prompts.

    Parameters
    ----------
    shares_prefix : from the card; whether prompts can share a prefix
    paths : file of every image, by id
    """

    def __init__(
        self,
        adapter: LanguageAdapter,
        shares_prefix: bool,
        style: PromptStyle,
        scoring: str,
        paths: Mapping[str, str],
    ) -> None:
        self.adapter, self.shares_prefix, self.style = adapter, shares_prefix, style
        self.scoring, self.paths = scoring, paths
        self._images: dict[str, tuple[PreparedImage, EncodedImage]] = {}
        self._scripts: dict[tuple[str, tuple[str, ...]], Script] = {}

    def encode(self, images: Sequence[str]) -> None:
        """Encode the images that are not cached."""
        if len(self._images) + len(images) > KEPT:
            self._images.clear()
        new = [image for image in images if image not in self._images]
        prepared = []
        for image in new:
            opened = open_image(Path(self.paths[image]))
            prepared.append(replace(self.adapter.prepare_image(opened), size=opened.size))
        if new:
            encoded, _ = passes.encode_images(self.adapter, prepared, [], complete=True)
            self._images.update(zip(new, zip(prepared, encoded, strict=True), strict=True))

    def encoded(self, images: Sequence[str]) -> list[EncodedImage]:
        """Return the language model's input for encoded images."""
        return [self._images[image][1] for image in images]

    def script(self, asked: AskedItem, whose: str) -> Script:
        """Return an item's prompt about its own images or a donor's, with its choices."""
        key = str(asked.item["item_id"]), asked.shown[whose]
        if key not in self._scripts:
            if len(self._scripts) > KEPT * 8:
                self._scripts.clear()
            shown = [self._images[image][0] for image in key[1]]
            self._scripts[key] = script_of(self.adapter, self.style, asked.item, shown)
        return self._scripts[key]


def features_of(encoded: Sequence[EncodedImage]) -> Tensor:
    """Return the features (t, d) of all images of a prompt; raise a UserError if there are none."""
    parts = [one.features for one in encoded]
    if any(part is None for part in parts):
        raise UserError(
            "connector: this family encodes images together with each prompt, so the connector's "
            "output cannot be replaced"
        )
    return torch.cat(parts)


def padded_features(encoded: Sequence[Sequence[EncodedImage]]) -> tuple[Tensor, Tensor]:
    """Return features (b, t, d) and a mask (b, t) that is false at padding."""
    parts = [features_of(own) for own in encoded]
    hidden = pad_sequence(parts, batch_first=True)
    lengths = torch.tensor([len(part) for part in parts], device=hidden.device)
    return hidden, torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None]
