"""Items that could not be read, logged and collected for the table's metadata."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from eyechart.readout.items import ReadoutItem

log = logging.getLogger(__name__)

FEW = 5  # maximum number of items named


@dataclass
class SkippedItems:
    """The items skipped so far; see ``tables.readouts.NOTE``."""

    rows: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Log a sentence and add it to the notes."""
        log.warning(sentence)
        self.notes.append(sentence)

    def add(
        self,
        failed: Sequence[tuple[ReadoutItem, str]],
        items: Sequence[ReadoutItem],
        places_name: str,
        scope: str,
    ) -> None:
        """Log and note the number of items that cannot be read, by task and ``seen``.

        Parameters
        ----------
        failed : items, each with the reason why it cannot be read
        items : all items to read
        """
        for task, seen in dict.fromkeys((r.task, r.seen) for r, _ in failed):
            own = [(r.item_id, why) for r, why in failed if (r.task, r.seen) == (task, seen)]
            of = sum((r.task, r.seen) == (task, seen) for r in items)
            row = {
                "task": task,
                "seen": seen,
                "stage": places_name,
                "scope": scope,
                "items": len(own),
            }
            first = [name for name, _ in own[:FEW]]
            self.rows.append(row | {"of": of, "why": own[0][1], "first": first})
            log.warning(
                "%s, %s, at %s (scope %s): %d of %d items cannot be read and do not count; %s: %s",
                *(task, seen, places_name, scope, len(own), of, own[0][0], own[0][1]),
            )
