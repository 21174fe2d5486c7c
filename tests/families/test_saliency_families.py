"""Every family: maps by gradients of its tiny checkpoint, or a stated reason."""

import numpy as np
import pytest
import torch
from in_memory import pixels
from zoo import FAMILIES

from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.marks import Mark
from eyechart.models.spec import TWO_TOWERS
from eyechart.saliency.attribute import method_addresses
from eyechart.saliency.attributor import Attributor
from eyechart.saliency.settings import SaliencySettings
from eyechart.saliency.states import ConnectorStates, ModuleStates, states_at
from eyechart.saliency.subjects import prepare, subject
from eyechart.tables.regions import box

# PaliGemma's processor, not ours
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

METHODS = ["gradient", "integrated", "grad_cam", "relevancy"]
SETTINGS = SaliencySettings(
    **{"methods": METHODS, "items": 2, "addresses": None, "cam_addresses": None},
    **{"target": "right", "baseline": "blank", "steps": 2, "points": 2, "random": 1},
    **{"batch_size": 2, "prompt": "{question}", "choices": "text"},
    statement="{question} {choice}",
)
READING = sorted(
    name for name, case in FAMILIES.items() if case.kind == "vlm" or name in TWO_TOWERS
)
WITHOUT = {  # methods that a family cannot have, and why
    "mllama": ("relevancy", "no token of the prompt stands for the image"),
    "instructblip": ("relevancy", "no token of the prompt stands for the image"),
    "blip2_t5": ("relevancy", "a decoder answers"),
    "minicpmv4_6": ("relevancy", "returns no attention weights"),
}
NOWHERE = {"blip2", "blip2_t5", "instructblip"}  # queries look at all of an image
CLOSED = {"mllama"}  # its gates are born closed: nothing of the image reaches the answer
HOOKED = {"mllama", "instructblip"}  # no row of the prompt is what the connector returns


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("images"), {}
    for n, image in enumerate(pixels(2)):
        image.save(folder / f"{n}.png")
        found[f"p{n}"] = str(folder / f"{n}.png")
    return found


def attributor(adapter, card, images):
    items = []
    for n, choices in enumerate((["yes", "two"], ["a red square", "yes"])):
        item = {"item_id": f"i{n}", "task": "t", "group": f"g{n}", "images": [f"p{n}"]}
        items.append(item | {"prompt": "what is it ?", "choices": choices, "answer": choices[0]})
    marks = {f"i{n}": [Mark(box("REF", 5, 5, 25, 30), 0, "reference")] for n in range(2)}
    return items, Attributor(adapter, SETTINGS, method_addresses(card, SETTINGS), images, marks, 7)


@pytest.mark.parametrize("name", READING)
def test_every_family_has_maps_of_gradients_or_says_why_not(name, loaded, cards, images):
    how = {"attention": "eager"} if FAMILIES[name].kind == "vlm" else {}
    adapter = loaded(name, **how)
    items, work = attributor(adapter, cards(name), images)
    assert len(work.usable(items)) == 2
    work.measure_means(items, AdaptiveBatchSize(2))
    maps, curves = work.rows(items)
    made = {row["method"] for row in curves}
    lost, why = WITHOUT.get(name, ("", ""))
    expected = (
        set(METHODS) - {lost} - ({"relevancy"} if FAMILIES[name].kind == "encoder" else set())
    )
    assert made == expected, work.said
    assert not lost or any(why in sentence for sentence in work.said), work.said
    for row in maps:
        assert len(row["saliency"]) == len(row["places"]) > 0
        assert np.isfinite(row["saliency"]).all()
        assert name in CLOSED or np.any(row["saliency"]), row["method"]
    if name not in NOWHERE | CLOSED:
        assert all(row["area"] > 0 for row in curves if np.max(row["total"]) > 0)


@pytest.mark.parametrize("name", READING)
def test_replaced_states_are_read_and_give_the_gradient_of_the_answer(name, loaded, cards, images):
    """A small step along the gradient changes the answer as much as the gradient says."""
    adapter = loaded(name)
    items, work = attributor(adapter, cards(name), images)
    asked = [prepare(adapter, SETTINGS, item, images, lambda image: image) for item in items]
    for address in dict.fromkeys(a for own in work.addresses.values() for a in own):
        states = states_at(subject(adapter, asked), address)
        hooked = address != "connector" or name in HOOKED
        assert isinstance(states, ModuleStates if hooked else ConnectorStates)
        with torch.no_grad():
            plain = states.subject.score(states.subject.encode(states.subject.images))
            torch.testing.assert_close(states.run(states.x), plain, atol=1e-5, rtol=1e-5)
            slope = states.gradient(states.x)
            tokens = torch.cat(states.index)
            assert name in CLOSED or bool(slope[tokens].any())
            step = 1e-2 / max(float(slope.norm()) ** 2, 1e-9)
            ends = [float(states.run(states.x + s * step * slope).sum().double()) for s in (1, -1)]
        expected = 2 * step * float((slope.double() ** 2).sum())
        assert ends[0] - ends[1] == pytest.approx(expected, rel=0.05, abs=2e-5)
