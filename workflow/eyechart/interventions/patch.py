"""Patch: states of some tokens from a run on a donor's images, with the item's own question.

``noise`` runs on the item's images and takes states from the donor's: does the answer become the
donor's? Its control takes a donor with the same answer. ``denoise`` runs on the donor's images and
takes states from the item's: does its answer come back? Its control is that run without a patch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from eyechart.interventions.asked import OWN
from eyechart.interventions.batch import Batch, Scores
from eyechart.interventions.changes import IMAGE, taken
from eyechart.interventions.edit import CONTROLS, Edit, Setup
from eyechart.tables.interventions import DENOISE, NOISE


def edits(setup: Setup) -> Iterator[Edit]:
    """Yield the patches of every span at every address, in every direction."""
    options = setup.options["patch"]
    for span in options["tokens"]:
        for address, direction in product(setup.addresses(span), options["directions"]):
            for donor, control in CONTROLS.items():
                if direction == DENOISE and control:
                    continue  # its control is the run on the donor's images as it is
                runs = (OWN, donor) if direction == NOISE else (donor, OWN)
                yield Edit(
                    "patch",
                    patching(address, span, *runs),
                    address,
                    direction=direction,
                    target=span,
                    control=control,
                    donor=donor,
                )


def patching(address: str, span: str, whose: str, source: str) -> Callable[[Batch], Scores]:
    """Return the function that answers a batch on ``whose`` images with states of ``source``."""
    if span == IMAGE:
        return partial(Batch.mixed, whose=whose, other=source, address=address)
    return partial(Batch.answers, whose=whose, changes=[taken(address, span, source)])
