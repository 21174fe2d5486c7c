"""What a model's own code cannot take: an image or a prompt costs its items, not the part."""

from collections.abc import Iterator
from contextlib import contextmanager

from eyechart.core.errors import UserError

MOST = 0.1  # share of the images, or of the items, of a part; a single one is always left out


class UnusableError(UserError):
    """An image or a prompt that a model's own code cannot take."""


@contextmanager
def usable(what: str, checkpoint: str) -> Iterator[None]:
    """Turn whatever a processor or tokenizer raises in the block into an UnusableError.

    ``what`` names the image or item. Lack of memory stays what it is.
    """
    try:
        yield
    except (MemoryError, UnusableError):
        raise
    except UserError as error:
        raise UnusableError(f"{what}: {error}") from error
    except Exception as error:
        told = " ".join(str(error).split()) or "no reason given"
        raise UnusableError(
            f"{what}: {checkpoint} cannot take it ({type(error).__name__}: {told})"
        ) from error


class Failures:
    """What is left out of a part and why, by id.

    Parameters
    ----------
    kind : ``images`` or ``items``
    total : how many there are in the part
    """

    def __init__(self, kind: str, total: int) -> None:
        self.kind, self.total = kind, total
        self.found: dict[str, str] = {}

    def add(self, name: str, error: UnusableError) -> None:
        """Leave out one; raise a UserError if these are too many."""
        self.found[name] = str(error)
        if len(self.found) > max(1, MOST * self.total) or len(self.found) == self.total:
            raise UserError(
                f"{error}; {len(self.found)} of {self.total} {self.kind} cannot be used, and only "
                f"one, or {MOST:.0%}, may be left out"
            )
