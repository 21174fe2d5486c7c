"""Leave out inputs that a model's own code rejects, and keep a sentence about each omission.

If the code rejects an image or a prompt, only the items with it are lost, not the complete part.
"""

import logging

from eyechart.core.errors import UserError
from eyechart.models.usable import UnusableError

logger = logging.getLogger(__name__)
MOST = 0.1  # largest share of a part's images or items to leave out; one may always be left out


class Failures:
    """The ids left out of a part, with the reasons.

    Parameters
    ----------
    kind : ``images`` or ``items``
    total : number of images or items in the part
    """

    def __init__(self, kind: str, total: int) -> None:
        self.kind, self.total = kind, total
        self.found: dict[str, str] = {}

    def add(self, name: str, error: UnusableError) -> None:
        """Leave out an id; raise a UserError if too many ids are left out."""
        self.found[name] = str(error)
        if len(self.found) > max(1, MOST * self.total) or len(self.found) == self.total:
            raise UserError(
                f"{error}; {len(self.found)} of {self.total} {self.kind} cannot be used, but at "
                f"most one, or {MOST:.0%}, may be left out"
            )


class Notes:
    """Notes on omissions, without repeats, for the log and the tables."""

    def __init__(self) -> None:
        self.said: dict[str, None] = {}

    def __call__(self, sentence: str) -> None:
        """Add a sentence."""
        if sentence not in self.said:
            logger.warning("%s", sentence)
            self.said[sentence] = None

    def text(self) -> dict[str, str]:
        """Return the notes as a table's metadata."""
        return {"note": "; ".join(self.said)}
