"""Knock out: block attention from the question or the answer position to image tokens.

Attention is blocked in one block, in a window of blocks, or in a block and all later ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product

from eyechart.core.address import LM, parse
from eyechart.interventions.batch import Batch
from eyechart.interventions.changes import LAST, QUESTION, Cut
from eyechart.interventions.edit import Edit, Setup, region_controls

TEXT = "text"
QUERIES = {QUESTION: (QUESTION,), LAST: (LAST,), TEXT: (QUESTION, LAST)}


def edits(setup: Setup) -> Iterator[Edit]:
    """Yield the cuts between each pair of token spans, in every run of blocks."""
    options = setup.options["knockout"]
    blocks = [n for a in setup.addresses(QUESTION) if (n := parse(a).block) is not None]
    pairs = product(options["queries"], options["keys"], runs(blocks, options["window"]))
    for queries, keys, run in pairs:
        controls = region_controls(keys)
        for control in controls:
            cut = Cut(QUERIES[queries], control or keys, run)
            yield Edit(
                "knockout",
                partial(Batch.answers, changes=[cut]),
                *(f"{LM}.{run[0]}", f"{LM}.{run[-1]}"),
                direction=queries,
                target=keys,
                control=control,
                region=controls[-1],
            )


def runs(blocks: Sequence[int], window: int | None) -> list[Sequence[int]]:
    """Return each single block, each window, and each block with all later ones, without repeats.

    >>> runs([0, 1, 2], 2)
    [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]]
    """
    count = len(blocks)
    alone = [blocks[i : i + 1] for i in range(count)]
    windows = [blocks[i : i + window] for i in range(count - window + 1)] if window else []
    onwards = [blocks[i:] for i in range(count)]
    return [list(run) for run in dict.fromkeys(map(tuple, [*alone, *windows, *onwards])) if run]
