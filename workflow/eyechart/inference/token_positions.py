"""Boxes of the image tokens in a shard's rows, stored as columns next to the activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eyechart.core.errors import UserError
from eyechart.models.addresses import Column
from eyechart.models.families.base import Adapter
from eyechart.tables.activations import PLACES

Placed = dict[str, np.ndarray]  # by key, such as ``vision``: float32 (t, 7)


class Locator:
    """Locates the image tokens in the columns of one scope.

    Attributes
    ----------
    stages : names of the columns that share the same boxes, by key (usually the component)
    """

    def __init__(self, adapter: Adapter, columns: Sequence[Column]) -> None:
        self.adapter = adapter
        self.stages: dict[str, list[str]] = {}
        for column in columns:
            if column.span == "image_tokens":
                stage = adapter.box_key(column.address.component, column.address.module)
                self.stages.setdefault(stage, []).append(column.name)

    def locate(self, sizes: Sequence[tuple[int, int]]) -> Placed:
        """Return the boxes of a row's image tokens, given the sizes of its images.

        Tokens of several images are concatenated, and views are numbered across all of them.
        Adapters measure boxes with their processor, so call this where images are preprocessed.
        """
        found: Placed = {}
        for stage in self.stages:
            own = [self.adapter.token_boxes(size, stage, len(sizes)) for size in sizes]
            counts = [int(p[:, 0].max()) + 1 if len(p) else 0 for p in own]
            firsts = np.cumsum([0, *counts[:-1]])
            moved = [p + np.eye(1, 7, dtype=p.dtype) * n for p, n in zip(own, firsts, strict=True)]
            found[stage] = np.concatenate(moved).astype(np.float32)
        return found

    def columns(
        self, values: Mapping[str, Any], placed: Sequence[Placed], names: Sequence[str]
    ) -> dict[str, list[np.ndarray]]:
        """Return the box columns of some rows.

        Raise a UserError if a row's numbers of boxes and tokens differ.

        Parameters
        ----------
        values : activations of the rows, by column
        placed, names : the boxes and the name of each row
        """
        for stage, columns in self.stages.items():
            for column in columns:
                for tokens, own, name in zip(values[column], placed, names, strict=True):
                    if len(tokens) != len(own[stage]):
                        raise UserError(
                            f"{self.adapter.spec.checkpoint}: {stage}: {name} has {len(tokens)} "
                            f"tokens in {column}, but {len(own[stage])} positions are known; "
                            f"leave the span image_tokens out at this address"
                        )
        return {f"{stage}/{PLACES}": [p[stage] for p in placed] for stage in self.stages}
