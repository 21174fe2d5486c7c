"""A CUDA device gives the same numbers as the CPU."""

import numpy as np
import pytest
from test_extraction_steps import SETTINGS, Project

from eyechart.tables.activations import read_column, read_ids, read_manifest

# a GPU sums float32 in another order; the activations of these models are of order 1
TOLERANCE = 1e-3


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["clip", "llava"])
def test_cuda_activations_equal_cpu_activations(tmp_path, model):
    project = Project(tmp_path)
    manifests = []
    for device in ("cpu", "cuda"):
        settings = {**SETTINGS, "dtype": "float32"}
        project.extract(tmp_path / device, model, settings, device=device)
        manifests.append(
            project.manifest(tmp_path / device, "image", model=model, settings=settings)
        )
    assert read_ids(manifests[0]) == read_ids(manifests[1])
    columns = [column["name"] for column in read_manifest(manifests[0])["columns"]]
    assert len(columns) >= 4
    for name in columns:
        cpu, cuda = (read_column(manifest, name) for manifest in manifests)
        np.testing.assert_allclose(cuda, cpu, atol=TOLERANCE, rtol=TOLERANCE)
