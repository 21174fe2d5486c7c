"""Names under which the report knows addresses and components, and the order of labels."""

from eyechart.core.address import COMPONENT_NAMES as ROOM_NAMES
from eyechart.core.address import COMPONENTS as ROOMS
from eyechart.core.address import abbreviate as spell
from eyechart.core.address import component as room
from eyechart.core.address import sort_key as order

__all__ = ["ROOMS", "ROOM_NAMES", "natural", "order", "room", "spell"]


def natural(label: str) -> tuple[int, float, str]:
    """Return a sort key that puts numbers by value before words by letter.

    >>> sorted(["10", "9", "yes", "no"], key=natural)
    ['9', '10', 'no', 'yes']
    """
    return (0, float(label), label) if label.isdecimal() else (1, 0.0, label)
