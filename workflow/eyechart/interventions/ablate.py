"""Ablate: replace image tokens by the mean image token before the language model reads them.

The mean is over the training items' images.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from eyechart.core.address import CONNECTOR
from eyechart.interventions.batch import Batch
from eyechart.interventions.changes import Write
from eyechart.interventions.edit import Edit, Setup, region_controls


def edits(setup: Setup) -> Iterator[Edit]:
    """Yield the ablation of every span, or nothing if the connector has no tokens to replace."""
    if CONNECTOR not in setup.samples:
        setup.note("ablate: no image tokens at the connector, or interventions.addresses lacks it")
        return
    mean = torch.from_numpy(setup.samples[CONNECTOR].mean)

    def ablated(hidden: Tensor, _: object) -> Tensor:
        return mean.to(hidden).expand_as(hidden)

    for span in setup.options["ablate"]["tokens"]:
        controls = region_controls(span)
        for control in controls:
            write = Write(CONNECTOR, control or span, ablated)
            yield Edit(
                "ablate",
                partial(Batch.answers, changes=[write]),
                CONNECTOR,
                target=span,
                control=control,
                region=controls[-1],
            )
