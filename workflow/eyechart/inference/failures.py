"""What is left out: what a model's own code cannot take, and sentences about it.

An image or a prompt that it cannot take costs its items, not the part.
"""

import logging

from eyechart.core.errors import UserError
from eyechart.models.usable import UnusableError

logger = logging.getLogger(__name__)
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


class Notes:
    """Sentences about what was left out, each once, in the log and for the tables."""

    def __init__(self) -> None:
        self.said: dict[str, None] = {}

    def __call__(self, sentence: str) -> None:
        """Add a sentence."""
        if sentence not in self.said:
            logger.warning("%s", sentence)
            self.said[sentence] = None

    def text(self) -> dict[str, str]:
        """Return them as the metadata of a table."""
        return {"note": "; ".join(self.said)}
