"""What could not be read: said aloud, and kept for the metadata of the table."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from eyechart.readout.items import ReadoutItem

log = logging.getLogger(__name__)

FEW = 5  # items that are named


@dataclass
class Told:
    """What was told so far: see ``tables.readouts.NOTE``."""

    rows: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Return a sentence and keep it."""
        log.warning(sentence)
        self.notes.append(sentence)

    def unread(
        self,
        failed: Sequence[tuple[ReadoutItem, str]],
        readings: Sequence[ReadoutItem],
        stage: str,
        scope: str,
    ) -> None:
        """Return and keep how many items cannot be read at a stage, by task and how they are seen.

        Parameters
        ----------
        failed : sequence of tuple
            Readings, and why each cannot be read.
        readings : sequence of ReadoutItem
            All that were to be read.
        """
        for task, seen in dict.fromkeys((r.task, r.seen) for r, _ in failed):
            own = [(r.item_id, why) for r, why in failed if (r.task, r.seen) == (task, seen)]
            of = sum((r.task, r.seen) == (task, seen) for r in readings)
            row = {"task": task, "seen": seen, "stage": stage, "scope": scope, "items": len(own)}
            first = [name for name, _ in own[:FEW]]
            self.rows.append(row | {"of": of, "why": own[0][1], "first": first})
            log.warning(
                "%s, %s, at %s (scope %s): %d of %d items cannot be read and do not count; %s: %s",
                *(task, seen, stage, scope, len(own), of, own[0][0], own[0][1]),
            )
