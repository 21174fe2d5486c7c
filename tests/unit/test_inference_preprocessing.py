"""Batches are prepared in advance in bounded memory, and a bad image affects only itself."""

import threading
import time
from types import SimpleNamespace

import pytest
from PIL import Image

from eyechart.inference import preprocessing
from eyechart.inference.preprocessing import ahead, prepare_images
from eyechart.models.families.image_tokens import PreparedImage


@pytest.mark.parametrize(("room", "most"), [(1, 1), (30, 3), (10_000, 20)])
def test_results_are_in_order_and_waiting_ones_are_bounded(room, most):
    made, taken, waited = [], [], []

    def work(value):
        waited.append(len(made) - len(taken))  # finished, but not consumed
        made.append(value)
        return value

    for value in ahead(work, range(20), lambda _: 10, room):
        taken.append(value)
        time.sleep(0.01)
    assert taken == list(range(20))
    assert max(waited) <= most
    assert max(waited) > 3 or room < 100  # with enough memory, the thread runs far ahead


def test_a_threads_error_is_raised_in_place_of_its_result():
    def work(value):
        if value == 2:
            raise ValueError("third")
        return value

    found = []
    with pytest.raises(ValueError, match="third"):
        found.extend(ahead(work, range(9), lambda _: 1, 1000))
    assert found in ([], [0, 1])  # extend may drop earlier batches


def test_the_thread_ends_when_the_consumer_leaves():
    before = threading.active_count()
    results = ahead(lambda value: value, range(1000), lambda _: 10, 20)
    assert next(results) == 0
    results.close()
    assert threading.active_count() == before


class Processor:
    """An adapter that accepts images with a height of at least 4."""

    spec = SimpleNamespace(checkpoint="toy")

    def __init__(self):
        self.calls = []

    def prepare_images(self, images):
        self.calls.append(len(images))
        if any(image.height < 4 for image in images):
            raise ValueError("too low")
        return [PreparedImage({}) for _ in images]


def test_an_unusable_image_is_reported_and_affects_no_other():
    adapter = Processor()
    images = [(f"p{n}", Image.new("RGB", (8, 2 if n == 1 else 6))) for n in range(3)]
    found, unusable = prepare_images(adapter, images)
    assert {name: one.size for name, one in found.items()} == {"p0": (8, 6), "p2": (8, 6)}
    assert str(unusable["p1"]) == "image 'p1': toy cannot process it (ValueError: too low)"
    assert adapter.calls == [3, 1, 1, 1]


def test_few_decoded_images_wait_for_the_processor(monkeypatch):
    monkeypatch.setattr(preprocessing, "DECODED", 3 * 8 * 6 * 2)
    adapter = Processor()
    images = [(n, Image.new("RGB", (8, 6))) for n in range(5)]
    found, _ = prepare_images(adapter, images)
    assert list(found) == [0, 1, 2, 3, 4]
    assert adapter.calls == [2, 2, 1]
