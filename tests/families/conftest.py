"""Fixtures for tests of families: tiny checkpoints, models loaded from them, and their cards.

They make a torchvision built for CUDA importable with a CPU-only torch.
"""

from pathlib import Path

import pytest
import torch

_LIBRARY = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from zoo import FAMILIES, ONE_OF_EACH_KIND, build  # noqa: E402
from zoo_parts import TV  # noqa: E402

from eyechart.models.describe_model import describe  # noqa: E402
from eyechart.models.load import load  # noqa: E402
from eyechart.models.load_options import LoadOptions  # noqa: E402


def pytest_collection_modifyitems(items):
    """Mark tests as slow unless their family is the example of its kind."""
    for item in items:
        if item.path.parent == Path(__file__).parent and hasattr(item, "callspec"):
            name = item.callspec.params.get("name")
            if name in FAMILIES and name not in ONE_OF_EACH_KIND:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    made = {}

    def make(name):
        if FAMILIES[name].torchvision and not TV:
            pytest.skip(f"{name} was NOT tested: it needs torchvision, which is not installed here")
        if name not in made:
            made[name] = build(name, tmp_path_factory.mktemp(name))
        return made[name]

    return make


@pytest.fixture(scope="session")
def loaded(checkpoint):
    kept = {}

    def get(name, **loading):
        key = (name, *sorted(loading.items()))
        if key not in kept:
            kept[key] = load(FAMILIES[name].spec, checkpoint(name), LoadOptions("cpu", **loading))
        return kept[key]

    return get


@pytest.fixture(scope="session")
def cards(loaded):
    kept = {}

    def get(name):
        if name not in kept:
            kept[name] = describe(loaded(name), name)
        return kept[name]

    return get
