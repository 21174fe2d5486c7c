"""The processor returns the same output for several images at once as for each one alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from zoo import FAMILIES

SIZES = [(64, 48), (30, 70), (200, 120), (64, 48)]
ONE_CALL = ("llava", "janus", "paligemma", "clip", "siglip", "vit", "dinov2", "vit_mae")


def drawn():
    draw = np.random.default_rng(5)
    return [Image.fromarray(draw.integers(0, 255, (h, w, 3), dtype=np.uint8)) for w, h in SIZES]


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_images_preprocessed_together_equal_single_ones(name, loaded, monkeypatch):
    adapter, images = loaded(name), drawn()
    alone = [adapter.prepare_image(image) for image in images]
    calls, process = [], type(adapter).processed
    monkeypatch.setattr(
        type(adapter), "processed", lambda self, few: calls.append(len(few)) or process(self, few)
    )
    together = adapter.prepare_images(images)
    assert len(together) == len(images)
    for one, other in zip(alone, together, strict=True):
        assert one.inputs.keys() == other.inputs.keys()
        for key, value in one.inputs.items():
            torch.testing.assert_close(other.inputs[key], value, rtol=0, atol=0)
        assert (one.text, one.rows) == (other.text, other.rows)
    if FAMILIES[name].family in ONE_CALL:
        assert calls == [len(images)]
