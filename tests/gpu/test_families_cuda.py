"""Every family gives the same results on a CUDA device as on the CPU."""

import numpy as np
import pytest
import torch
from PIL import Image
from zoo import FAMILIES, build
from zoo_parts import TV

from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions

# a GPU sums float32 in another order; the scores of these models are of order 1
TOLERANCE = 1e-3
READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")


@pytest.mark.gpu
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("how", [{}, {"spread": True}])
def test_scores_on_cuda_equal_scores_on_the_cpu(tmp_path, name, how):
    if FAMILIES[name].torchvision and not TV:
        pytest.skip(f"{name} needs torchvision, which is not installed here")
    folder = build(name, tmp_path)
    picture = Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    )
    found = []
    for loading in (LoadOptions("cpu"), LoadOptions("cuda", **how)):
        adapter = load(FAMILIES[name].spec, folder, loading)
        shown = adapter.prepare_image(picture)
        with torch.inference_mode():
            row = adapter.row("what is it ?", [shown])
            found.append(
                adapter.logits([row], adapter.encode_images([shown]), [[]])[0].float().cpu()
            )
    torch.testing.assert_close(found[1], found[0], atol=TOLERANCE, rtol=TOLERANCE)
