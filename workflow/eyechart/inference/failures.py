"""What a model's own code cannot take: an image or a prompt costs its items, not the part."""

from eyechart.core.errors import UserError
from eyechart.models.usable import UnusableError

MOST = 0.1  # share of the images, or of the items, of a part; a single one is always left out


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
                f"{error}; {len(self.found)} of {self.total} {self.kind} cannot be used, but at "
                f"most one, or {MOST:.0%}, may be left out"
            )
