"""Patch: copy some tokens' states from a run on a donor's images with the item's question.

``noise`` runs the item's images with states patched in from the donor's, to see whether the answer
becomes the donor's. Its control uses a donor with the same answer. ``denoise`` runs the donor's
images with states patched in from the item's, to see whether the item's answer is restored. Its
control is the same run without a patch.
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
                    continue  # its control is the unpatched run on the donor's images
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
    """Return a function that answers a batch on ``whose`` images with states from ``source``."""
    if span == IMAGE:
        return partial(Batch.mixed, whose=whose, other=source, address=address)
    return partial(Batch.answers, whose=whose, changes=[taken(address, span, source)])
