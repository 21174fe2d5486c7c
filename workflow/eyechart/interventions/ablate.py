"""Ablate: image tokens become the mean image token before the language model reads them.

The mean is that of the training items' images. The control of the referent's tokens are those of
another object; that of all image tokens is the unedited answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from eyechart.core.address import CONNECTOR, OTHER_OBJECT, REFERENT
from eyechart.interventions.asked import OWN
from eyechart.interventions.batch import Batch, Scores
from eyechart.interventions.changes import Write
from eyechart.interventions.edit import Edit, Setup


def edits(setup: Setup) -> Iterator[Edit]:
    """Yield the ablation of every span; nothing where the connector has no tokens to replace."""
    if CONNECTOR not in setup.samples:
        setup.note("ablate: no image tokens at the connector, if interventions.addresses names it")
        return
    mean = torch.from_numpy(setup.samples[CONNECTOR].mean)
    for span in setup.options["ablate"]["tokens"]:
        for control in ("", *([OTHER_OBJECT] if span == REFERENT else [])):
            yield Edit(
                "ablate",
                ablating(control or span, mean),
                *(CONNECTOR, CONNECTOR),
                target=span,
                control=control,
                region=OTHER_OBJECT if span == REFERENT else "",
            )


def ablating(span: str, mean: Tensor) -> Callable[[Batch], Scores]:
    """Return the function that answers a batch with the mean in place of a span's tokens."""

    def replaced(hidden: Tensor, _: object) -> Tensor:
        return mean.to(hidden).expand_as(hidden)

    def answer(batch: Batch) -> Scores:
        return batch.answers(OWN, [Write(CONNECTOR, span, replaced)])

    return answer
