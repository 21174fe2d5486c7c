"""Spread what is right evenly over the items: in every block, each case once, in a drawn order."""

from collections.abc import Sequence
from typing import TypeVar

from eyechart.core import randomness

Case = TypeVar("Case")
LETTERS = "ABCD"


def case_of(cases: Sequence[Case], number: int, *name: str | int) -> Case:
    """Give the case of item ``number``.

    Parameters
    ----------
    cases : sequence
        Each comes once among the items k * len(cases) to (k + 1) * len(cases) - 1.
    name : parts
        Seed the order together with the block's number.
    """
    block, place = divmod(number, len(cases))
    return randomness.dice("balance", *name, block).sample(list(cases), len(cases))[place]
