"""Knock out: no attention from the question, or from the answer position, to image tokens.

In one block, in a window of blocks, and in all blocks from one on.
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
    """Yield the cuts between every two kinds of tokens, in every run of blocks."""
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
    """Return each block alone, each window of blocks, and all from each on; none of them twice.

    >>> runs([0, 1, 2], 2)
    [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]]
    """
    count = len(blocks)
    alone = [blocks[i : i + 1] for i in range(count)]
    windows = [blocks[i : i + window] for i in range(count - window + 1)] if window else []
    onwards = [blocks[i:] for i in range(count)]
    return [list(run) for run in dict.fromkeys(map(tuple, [*alone, *windows, *onwards])) if run]
