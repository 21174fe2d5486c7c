"""Inputs of saliency maps, and the properties that their gradients must have in any family."""

import numpy as np
import pytest
import torch
from in_memory import pixels

from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.marks import Mark
from eyechart.saliency.attribute import method_addresses
from eyechart.saliency.attributor import Attributor
from eyechart.saliency.settings import SaliencySettings
from eyechart.saliency.states import ConnectorStates, ModuleStates, states_at
from eyechart.saliency.subjects import prepare, subject
from eyechart.tables.regions import box

METHODS = ["gradient", "integrated", "grad_cam", "relevancy"]
SETTINGS = SaliencySettings(
    **{"methods": METHODS, "items": 2, "addresses": None, "cam_addresses": None},
    **{"target": "right", "baseline": "blank", "steps": 2, "points": 2, "random": 1},
    **{"batch_size": 2, "prompt": "{question}", "choices": "text"},
    statement="{question} {choice}",
)


def image_files(folder):
    """Save two images; return their paths."""
    found = {}
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


def made_by(items, work):
    """Return the items' maps and curves, and the methods that computed them."""
    assert len(work.usable(items)) == 2
    work.measure_means(items, AdaptiveBatchSize(2))
    maps, curves = work.rows(items)
    return maps, curves, {row["method"] for row in curves}


def check_maps(maps, closed=False):
    """A map has one finite number per token, not all zero unless the model ignores the image.

    Grad-CAM drops negative evidence, so its map may be all zero.
    """
    for row in maps:
        assert len(row["saliency"]) == len(row["places"]) > 0
        assert np.isfinite(row["saliency"]).all()
        assert closed or np.any(row["saliency"]) or row["method"] == "grad_cam", row["method"]
    cams = [np.any(row["saliency"]) for row in maps if row["method"] == "grad_cam"]
    assert closed or any(cams) or not cams


def check_gradients(adapter, items, work, images, hooked=False, closed=False):
    """A small step along the gradient changes the answer by the predicted amount."""
    asked = [prepare(adapter, SETTINGS, item, images, lambda image: image) for item in items]
    for address in dict.fromkeys(a for own in work.addresses.values() for a in own):
        states = states_at(subject(adapter, asked), address)
        outputs = address != "connector" or hooked
        assert isinstance(states, ModuleStates if outputs else ConnectorStates)
        with torch.no_grad():
            chunks = states.subject.chunks()
            encoded = [own for some in chunks for own in states.subject.encode(some)]
            plain = states.subject.score(encoded)
            torch.testing.assert_close(states.run(states.x), plain, atol=1e-5, rtol=1e-5)
            slope = states.gradient(states.x)
            tokens = torch.cat(states.index)
            assert closed or bool(slope[tokens].any())
            step = 1e-2 / max(float(slope.norm()) ** 2, 1e-9)
            ends = [float(states.run(states.x + s * step * slope).sum().double()) for s in (1, -1)]
        expected = 2 * step * float((slope.double() ** 2).sum())
        assert ends[0] - ends[1] == pytest.approx(expected, rel=0.05, abs=2e-5)
