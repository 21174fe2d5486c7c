"""Token positions are correct in remote families: the token at a bright square changes most."""

import numpy as np
import pytest
from bright_square import SIZES, check, features, flat, look
from cases import spec_of

from eyechart.models.describe_model import describe
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions

pytestmark = pytest.mark.filterwarnings("ignore")  # from the remote code

NOWHERE = ("minicpm_v2", "minicpm_o")  # learned queries


@pytest.fixture(scope="module")
def adapter(family, folder_of):
    return load(spec_of(family), folder_of(family), LoadOptions("cpu", remote_code=True))


@pytest.fixture(scope="module")
def card(adapter, family):
    return describe(adapter, family)


@pytest.mark.parametrize("size", SIZES)
def test_a_bright_square_is_found_in_the_encoder(adapter, card, size):
    check(size, adapter.token_boxes(size, "vision"), lambda i: look(adapter, card, i, "vision.0"))


@pytest.mark.parametrize("region", ["connector", "lm"])
@pytest.mark.parametrize("size", SIZES)
def test_a_bright_square_is_found_after_the_connector(adapter, card, family, size, region):
    places = adapter.token_boxes(size, region)
    if family in NOWHERE:
        assert np.isnan(places[:, 3:]).all()
        assert len(places) == len(features(adapter, flat(size)))
        return
    see = (lambda i: look(adapter, card, i, "connector")) if region == "connector" else None
    check(size, places, see or (lambda i: features(adapter, i)))
