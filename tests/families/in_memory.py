"""Run the engine over images in memory, for all columns of all addresses and spans, by row."""

import numpy as np
from PIL import Image

from eyechart.extraction.engine import Engine
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.workload import ExtractionPart, ItemPrompt
from eyechart.models.addresses import SPANS, columns
from eyechart.tables.regions import box, point

SIZES = {"p0": (64, 40), "p1": (40, 88), "p2": (30, 30)}


def pixels(count):
    """Return images of different sizes."""
    draw = np.random.default_rng(1)
    sizes = list(SIZES.values())[:count]
    return [Image.fromarray(draw.integers(0, 255, (h, w, 3), dtype=np.uint8)) for w, h in sizes]


def regions(n, pictures):
    """Return the regions of the n-th prompt on its last image: a box, and a point elsewhere."""
    if not pictures or pictures[-1] not in SIZES:
        return {}
    wide, high = SIZES[pictures[-1]]
    own = box("REF", 0.1 * wide * (n % 4), 0.2 * high, 0.5 * wide, (0.4 + 0.1 * (n % 5)) * high)
    other = point("OTHER", (0.95 - 0.2 * (n % 4)) * wide, 0.9 * high)
    found = {"referent": own, "referent_center": point("REF", *own.middle), "other_object": other}
    return {span: (pictures[-1], (region,)) for span, region in found.items()}


def plan(asked, prompts):
    """Return a part of a dataset: images by name, and one prompt per list of images."""
    images = sorted({i for pictures in asked for i in pictures})
    rows = [
        ItemPrompt(n, tuple(p), prompts[n % len(prompts)], regions(n, p))
        for n, p in enumerate(asked)
    ]
    return ExtractionPart(
        images, [], [f"q{n}" for n in range(len(rows))], rows, {i: i for i in images}
    )


def run_engine(adapter, card, shown, part, batch, monkeypatch):
    """Return {column: {row: value}} for both scopes; ``shown`` has the images by name."""
    monkeypatch.setattr("eyechart.inference.preprocessing.open_image", lambda path: shown[path])
    every = [a["address"] for a in card["addresses"]]
    asked = {s: columns(card, every, SPANS, s) for s in ("image", "item")}
    found = {}

    def emit(ids):
        def take(rows, values):
            for column, value in values.items():
                for row, one in zip(rows, value, strict=True):
                    found.setdefault(column, {})[ids[row]] = np.asarray(one)

        return take

    engine = Engine(
        adapter, card["shares_prefix"], asked["image"], asked["item"], AdaptiveBatchSize(batch)
    )
    list(engine.run(part, emit(part.images), emit(part.items)))
    stages = [*engine.of_image.stages, *engine.of_item.stages]
    expected = {c.name for scope in asked.values() for c in scope}
    assert set(found) == expected | {f"{stage}/places" for stage in stages}
    return found
