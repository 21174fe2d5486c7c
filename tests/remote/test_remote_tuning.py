"""Tuning families with remote code: each arm learns, and nothing else changes."""

import pytest
from cases import spec_of
from twenty_steps import check_twenty_steps, questions_about, three_items

from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.tuning import arms

pytestmark = pytest.mark.filterwarnings("ignore")  # from the remote code


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return three_items(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("arm", ["prompt_3", *arms.LORA])
def test_twenty_steps_lower_the_loss_and_change_nothing_else(arm, family, folder_of, data):
    adapter = load(spec_of(family), folder_of(family), LoadOptions("cpu", remote_code=True))
    check_twenty_steps(adapter, questions_about(adapter, data), data[1], arm)
