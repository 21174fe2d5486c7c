"""Every family: gradient maps of its tiny checkpoint, or a reason."""

import numpy as np
import pytest
from maps import METHODS, attributor, check_gradients, check_maps, image_files, made_by
from zoo import FAMILIES

from eyechart.models.spec import TWO_TOWERS

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

READING = sorted(
    name for name, case in FAMILIES.items() if case.kind == "vlm" or name in TWO_TOWERS
)
WITHOUT = {  # methods that a family does not support, with the reason
    "mllama": ("relevancy", "no token of the prompt represents the image"),
    "instructblip": ("relevancy", "no token of the prompt represents the image"),
    "blip2_t5": ("relevancy", "a decoder answers"),
    "minicpmv4_6": ("relevancy", "returns no attention weights"),
}
# queries attend to the full image
NOWHERE = {"blip2", "blip2_t5", "instructblip", "mixture_attention", "mixture_qformer"}
CLOSED = {"mllama"}  # its gates are initially closed, so the image does not affect the answer
HOOKED = {"mllama", "instructblip"}  # no row of the prompt equals a connector output


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return image_files(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("name", READING)
def test_every_family_has_gradient_maps_or_a_reason(name, loaded, cards, images):
    how = {"attention": "eager"} if FAMILIES[name].kind == "vlm" else {}
    adapter = loaded(name, **how)
    items, work = attributor(adapter, cards(name), images)
    maps, curves, made = made_by(items, work)
    lost, why = WITHOUT.get(name, ("", ""))
    expected = (
        set(METHODS) - {lost} - ({"relevancy"} if FAMILIES[name].kind == "encoder" else set())
    )
    assert made == expected, work.say.said
    assert not lost or any(why in sentence for sentence in work.say.said), work.say.said
    check_maps(maps, name in CLOSED)
    if name not in NOWHERE | CLOSED:
        assert all(row["area"] > 0 for row in curves if np.max(row["total"]) > 0)


@pytest.mark.parametrize("name", READING)
def test_replaced_states_are_read_and_give_the_gradient_of_the_answer(name, loaded, cards, images):
    adapter = loaded(name)
    items, work = attributor(adapter, cards(name), images)
    check_gradients(adapter, items, work, images, name in HOOKED, name in CLOSED)
