"""Gradient maps of families with remote code."""

import pytest
from cases import spec_of
from maps import METHODS, attributor, check_gradients, check_maps, image_files, made_by

from eyechart.models.attention_weights import load_eager
from eyechart.models.describe_model import describe
from eyechart.models.load_options import LoadOptions

pytestmark = pytest.mark.filterwarnings("ignore")  # from the remote code

NO_WEIGHTS = ("cogvlm", "molmo")  # their code returns no attention weights
NOWHERE = ("minicpm_v2", "minicpm_o")  # learned queries


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return image_files(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def adapter(family, folder_of):
    return load_eager(spec_of(family), folder_of(family), LoadOptions("cpu", remote_code=True))[0]


def test_every_method_makes_maps_or_gives_a_reason(adapter, family, images):
    items, work = attributor(adapter, describe(adapter, family), images)
    maps, curves, made = made_by(items, work)
    assert made == set(METHODS) - ({"relevancy"} if family in NO_WEIGHTS else set()), work.say.said
    assert any("attention weights" in said for said in work.say.said) == (family in NO_WEIGHTS)
    check_maps(maps)
    if family not in NOWHERE:
        assert all(row["area"] > 0 for row in curves if row["total"] > 0)


def test_replaced_states_are_read_and_give_the_gradient_of_the_answer(adapter, family, images):
    items, work = attributor(adapter, describe(adapter, family), images)
    check_gradients(adapter, items, work, images)
