"""Draw a bright square on a flat image, and check that the tokens at its position change."""

import numpy as np
import torch
from PIL import Image

from eyechart.inference import passes
from eyechart.models.addresses import columns

SIZES = [(64, 64), (100, 40), (40, 100), (150, 97), (31, 90)]
POINTS = [(0.2, 0.3), (0.45, 0.8), (0.58, 0.35), (0.71, 0.55), (0.93, 0.12), (0.06, 0.94)]


def flat(size):
    return Image.new("RGB", size, (90, 90, 90))


def with_square(size, places, x, y):
    """Return a flat image with a bright square, a third of a token wide, and the half side."""
    area = places[holding(places, x, y)]
    half = max(1.0, (area[:, 5:] - area[:, 3:5]).min() / 6)
    pixels = np.array(flat(size))
    (a, b), (c, d) = ((round(v - half), round(v + half)) for v in (x, y))
    pixels[max(c, 0) : max(d, 1), max(a, 0) : max(b, 1)] = 255
    return Image.fromarray(pixels), half


def holding(places, x, y):
    """Return whether each token's area contains a point."""
    left, top, right, bottom = places[:, 3:].T
    return (left <= x) & (x < right) & (top <= y) & (y < bottom)


def near(place, x, y, reach):
    """Return whether a point is within ``reach`` of a token's area."""
    apart = np.maximum(place[3:5] - [x, y], [x, y] - place[5:])
    return bool((apart <= reach).all())


def look(adapter, card, image, address):
    """Return an image's tokens at an address: (tokens, d)."""
    (column,) = columns(card, [address], ["image_tokens"], "image")
    _, found = passes.encode_images(
        adapter, [adapter.prepare_image(image)], [column], complete=False
    )
    return found[column.name][0].numpy()


def features(adapter, image):
    """Return the language model's input for an image: (tokens, d)."""
    with torch.inference_mode():
        (seen,) = adapter.encode_images([adapter.prepare_image(image)])
    return seen.features.float().numpy()


def check(size, places, see):
    """Draw squares; in each view that shows one, the token that changes most must be there."""
    before, found = see(flat(size)), 0
    assert len(before) == len(places)
    for x, y in np.array(POINTS) * size:
        if not holding(places, x, y).any():
            continue  # outside the centre crop
        image, half = with_square(size, places, x, y)
        change = np.linalg.norm(see(image) - before, axis=1)
        for view in np.unique(places[holding(places, x, y), 0]):
            own = np.flatnonzero(places[:, 0] == view)
            most = places[own[change[own].argmax()]]
            assert near(most, x, y, half), (x, y, most)
            found += 1
    assert found >= 2
