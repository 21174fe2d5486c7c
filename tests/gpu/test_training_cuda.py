"""Training stages on a CUDA device are reproducible, and their weights load on the CPU."""

import pytest
import torch
from safetensors.torch import load_file
from test_tiny_models import raw  # noqa: F401  (the fixture)
from training_fixture import flags

from eyechart.tiny_models import train_language


@pytest.mark.gpu
def test_two_runs_on_cuda_give_the_same_weights(raw, tmp_path):  # noqa: F811
    weights = []
    for name in ("first", "second"):
        train_language.main(flags(raw, tmp_path / name, "language", device="cuda"))
        weights.append(load_file(tmp_path / name / "language" / "model" / "model.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
