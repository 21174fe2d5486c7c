"""Properties of patches, cuts and other edits, valid for every family and any weights."""

import numpy as np
from in_memory import pixels
from PIL import Image

from eyechart.inference.prompts import PromptStyle
from eyechart.interventions.asked import CONTROL, DONOR, OWN, AskedItem, RegionOfTokens
from eyechart.interventions.batch import Batch
from eyechart.interventions.changes import IMAGE, LAST, QUESTION, Cut, Write, taken
from eyechart.interventions.edit import Setup
from eyechart.interventions.intervene import planned, run
from eyechart.interventions.reader import Reader

QUESTIONS = ("what is it ?", "is the red square left of the blue circle ?")
CHOICES = ["a red square", "yes", "yes it is"]
IN_IMAGE = (IMAGE, "referent", "other_object")
SPANS = (*IN_IMAGE, QUESTION, LAST)
OPTIONS = {
    "patch": {"tokens": [IMAGE, QUESTION, LAST], "directions": ["noise", "denoise"]},
    "knockout": {"queries": ["text"], "keys": [IMAGE], "window": None},
    "ablate": {"tokens": [IMAGE]},
    "erase": {"concepts": None, "random": 1, "permuted": 0},  # labels of the two images
}


def image_pair(folder):
    """Save an image and the same image rotated; return their paths."""
    first, found = pixels(1)[0], {}
    for name, image in (("a", first), ("b", first.transpose(Image.Transpose.ROTATE_180))):
        image.save(folder / f"{name}.png")
        found[name] = str(folder / f"{name}.png")
    return found


def batch_of(adapter, paths, shares, pairs=("ab", "ba"), regions=None):
    """Return a batch of two questions about the first image of each pair, with the donor second."""
    asked = []
    for n, pair in enumerate([pair for pair in pairs for _ in range(2)]):
        item = {"item_id": f"q{n}", "task": "kind", "group": pair, "prompt": QUESTIONS[n % 2]}
        item |= {"choices": CHOICES, "answer": CHOICES[n // 2]}
        shown = {OWN: (pair[0],), DONOR: (pair[1],), CONTROL: (pair[1],)}
        asked.append(AskedItem(item, shown, {DONOR: "d", CONTROL: "c"}, regions or {}))
    reader = Reader(adapter, shares, PromptStyle("{question}", "text", 1), "mean", paths)
    return Batch(reader, asked)


def regions_for(adapter):
    """Return two regions of one token each, placed differently on the donor's image."""
    count = len(adapter.token_boxes(pixels(1)[0].size, "lm", 1))

    def at(place):
        flags = np.arange(count) == place
        return RegionOfTokens(flags, flags, np.arange(count)[:, None] * [1.0, 0.0])

    own = {"referent": at(0), "other_object": at(1)}
    return {OWN: own, DONOR: {"referent": at(2), "other_object": at(0)}}


def blocks_of(adapter):
    return [a for a in adapter.addresses() if a.startswith("lm.") and a != "lm.norm"]


def close(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def differ(found, expected):
    return not np.allclose(found, expected, rtol=0, atol=1e-4)


def check_patched_blocks(batch):
    """Patching the image has no effect after the last block, and an effect after the first."""
    sighted, swapped = batch.answers(), batch.answers(DONOR)
    first, *_, last = blocks_of(batch.adapter)
    close(batch.mixed(OWN, DONOR, last), sighted)
    close(batch.mixed(DONOR, OWN, last), swapped)
    assert differ(batch.mixed(OWN, DONOR, first), sighted)


def check_last_token(batch, last):
    """The last token after the last block determines the answer completely."""
    close(batch.answers(OWN, [taken(last, LAST, DONOR)]), batch.answers(DONOR))


def check_edits_of_nothing(batch, spans):
    """States of the same image, and states written unchanged, have no effect."""
    plain, block = batch.answers(), blocks_of(batch.adapter)[0]
    for span in spans:
        close(batch.answers(OWN, [taken(block, span, DONOR)]), plain)
        close(batch.answers(OWN, [Write(block, span, lambda hidden, _: hidden)]), plain)


def cut_off(adapter):
    """Return the cut of image tokens from all text in all blocks."""
    return Cut([QUESTION, LAST], IMAGE, range(len(blocks_of(adapter))))


def check_cut(batch):
    """If image tokens are cut from all text, no answer depends on the image."""
    cut = cut_off(batch.adapter)
    sighted = batch.answers(OWN, [cut])
    close(sighted, batch.answers(DONOR, [cut]))
    assert differ(sighted, batch.answers())


def made_of(batch):
    """Plan and run all edits of a batch; return the results, and notes on omitted edits."""
    said, asked = [], batch.asked
    chosen = ["connector", *blocks_of(batch.adapter)]
    setup = Setup(batch.reader, chosen, asked, asked, OPTIONS, 7, 4, said.append)
    edits = planned(setup, list(OPTIONS))
    rows = [row for part in run(batch.reader, asked, edits, 4, said.append) for row in part]
    made = {(row["intervention"], row["address"]) for row in rows}
    return made | {(row["intervention"], row["address"], row["target"]) for row in rows}, said
