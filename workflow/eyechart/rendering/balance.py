"""Balance cases over items: every block contains each case once, in random order."""

from collections.abc import Sequence
from typing import TypeVar

from eyechart.core import randomness

Case = TypeVar("Case")
LETTERS = "ABCD"


def case_of(cases: Sequence[Case], number: int, *name: str | int) -> Case:
    """Return the case of item ``number``.

    Parameters
    ----------
    cases : sequence
        Each occurs once among the items k * len(cases) to (k + 1) * len(cases) - 1.
    name : parts
        Seeds of the order, together with the block number.
    """
    block, place = divmod(number, len(cases))
    return randomness.dice("balance", *name, block).sample(list(cases), len(cases))[place]
