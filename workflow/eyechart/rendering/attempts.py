"""Balance cases over items, and redraw an item until it meets its conditions."""

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from eyechart.core import randomness
from eyechart.core.errors import UserError

Case = TypeVar("Case")
Drawn = TypeVar("Drawn")
LETTERS = "ABCD"


class NoRoomError(Exception):
    """The drawn content does not fit, or too little of it is visible; another draw may succeed."""


def case_of(cases: Sequence[Case], number: int, *name: str | int) -> Case:
    """Return the case of item ``number``; every block contains each case once, in random order.

    Parameters
    ----------
    cases : each occurs once in the items k * len(cases) to (k + 1) * len(cases) - 1
    name : parts that seed the order, together with the block number
    """
    block, place = divmod(number, len(cases))
    return randomness.dice("balance", *name, block).sample(list(cases), len(cases))[place]


def first_success(attempts: int, draw: Callable[[int], Drawn], failure: str) -> Drawn:
    """Return the result of the first attempt that does not raise :class:`NoRoomError`.

    Raise a UserError if every attempt raises it; ``failure`` states the problem and what to change.
    """
    for attempt in range(attempts):
        with contextlib.suppress(NoRoomError):
            return draw(attempt)
    raise UserError(f"rendering: {failure} (after {attempts} attempts)")
