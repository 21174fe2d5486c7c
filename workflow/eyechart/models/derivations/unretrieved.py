"""Derive a model whose text never attends to image tokens in any block.

The weights cannot express this. The derived model's spec has ``text_sees_images: false``, which its
adapter turns into the attention mask of every forward pass (``LanguageAdapter.read``). The
checkpoint is that of the base. It is checked that the answer does not depend on the image and that
image tokens equal the base's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from eyechart.core.errors import UserError
from eyechart.models.derivations.connector import language, sample_images
from eyechart.models.derivations.settings import chosen
from eyechart.models.families.base import Adapter
from eyechart.models.hooks import pass_mode

PROMPT = "What is it?"
CLOSE = 1e-3


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Check that the lesion can be applied; the weights do not change."""
    chosen("unretrieved", settings)
    adapter = language(adapter, "unretrieved")
    images = [adapter.prepare_image(image) for image in sample_images()]
    rows = [adapter.row(PROMPT, [image]) for image in images]
    whole, states = adapter.spec, []
    with pass_mode():
        for sees in (True, False):
            adapter.spec = replace(whole, text_sees_images=sees)
            adapter.check_lesion()
            batch = adapter.tokens(rows, adapter.encode_images(images))
            states.append(adapter.read(batch))
    first, second = (states[1][n][~batch.image[n] & batch.valid[n]] for n in (0, 1))
    free = torch.equal(first, second)
    seen, blind = (state[batch.image] for state in states)
    if not free or not torch.allclose(seen, blind, atol=CLOSE):
        raise UserError(
            f"derived.by: unretrieved cannot be applied to family {adapter.spec.family}: its "
            "answer still depends on the image, or its image tokens on the text, unlike those of "
            "llava"
        )
