"""The order of addresses along a model, and the rooms they stand in."""

from collections.abc import Iterable

ROOMS = ("vision", "connector", "lm")
ROOM_NAMES = {"vision": "vision encoder", "connector": "connector", "lm": "language model"}


def room(address: str) -> str:
    """Give the room of an address: its first part, or ``other`` for a raw module path.

    >>> room("vision.3"), room("text_projection")
    ('vision', 'other')
    """
    first = address.split(".", maxsplit=1)[0]
    return first if first in ROOMS else "other"


def order(address: str) -> tuple[int, int, int, str]:
    """Give a sort key: vision, connector, lm, then others; blocks by number, names after them.

    >>> sorted(["lm.norm", "lm.10", "lm.2", "connector", "vision.0"], key=order)
    ['vision.0', 'connector', 'lm.2', 'lm.10', 'lm.norm']
    """
    rank = (*ROOMS, "other").index(room(address))
    last = address.rsplit(".", maxsplit=1)[-1]
    return (rank, 0, int(last), address) if last.isdigit() else (rank, 1, 0, address)


def spell(addresses: Iterable[str]) -> str:
    """Write addresses in the order of the model, with runs of blocks as one word.

    >>> spell(["lm.norm", "vision.0", "vision.1", "vision.2", "connector"])
    'vision.0–2, connector, lm.norm'
    """
    words: list[str] = []
    run: tuple[str, int, int] | None = None  # stem, first and last number of the open run
    for address in sorted(addresses, key=order):
        stem, _, last = address.rpartition(".")
        if run and last.isdigit() and (stem, int(last)) == (run[0], run[2] + 1):
            run = (stem, run[1], int(last))
            words[-1] = f"{stem}.{run[1]}–{last}"
        else:
            run = (stem, int(last), int(last)) if last.isdigit() else None
            words.append(address)
    return ", ".join(words)


def natural(label: str) -> tuple[int, float, str]:
    """Give a sort key that puts numbers by value before words by letter.

    >>> sorted(["10", "9", "yes", "no"], key=natural)
    ['9', '10', 'no', 'yes']
    """
    return (0, float(label), label) if label.isdecimal() else (1, 0.0, label)
