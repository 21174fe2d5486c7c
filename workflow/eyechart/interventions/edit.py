"""An intervention at one address, and the setup that those of a model are planned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eyechart.core.address import CONNECTOR, DECODER, LM, OTHER_OBJECT, REFERENT, parse
from eyechart.interventions.asked import CONTROL, DONOR, OWN, AskedItem
from eyechart.interventions.batch import Batch, Scores
from eyechart.interventions.changes import IN_IMAGE, LAST
from eyechart.interventions.erasers import Sample, collect
from eyechart.interventions.reader import Reader
from eyechart.models.unembedding import answering_blocks

SAME_ANSWER = "same_answer"
CONTROLS = {DONOR: "", CONTROL: SAME_ANSWER}  # what a donor's edit is called in `control`


@dataclass(frozen=True)
class Edit:
    """An intervention: where, what, from whom; the columns of the table ``edits``.

    Attributes
    ----------
    answer : answers the items of a batch under it
    target, region : the tokens that it changes; another region that an item must have, if any
    control, draw : empty for the edit itself; the kind of control, and its number
    donor : ``donor`` or ``control``: from whom it takes states, if from anyone
    until : the last block, of an edit in several; else empty
    """

    intervention: str
    answer: Callable[[Batch], Scores]
    address: str = ""
    until: str = ""
    direction: str = ""
    target: str = ""
    concept: str = ""
    control: str = ""
    draw: int = 0
    donor: str = ""
    region: str = ""

    def applies(self, asked: AskedItem) -> bool:
        """Return whether an item has the donor and the regions that it takes."""
        whose = [OWN, *([self.donor] if self.donor else [])]
        known = not self.donor or self.donor in asked.donors
        return known and all(asked.has(span, *whose) for span in (self.target, self.region))


def region_controls(span: str) -> tuple[str, ...]:
    """Return the columns ``control`` of an edit of a span's tokens without a donor.

    The control of the referent's tokens is another object's tokens; that of all image tokens is the
    unedited answer.
    """
    return ("", OTHER_OBJECT) if span == REFERENT else ("",)


@dataclass(frozen=True)
class Setup:
    """What the edits of a model are planned from.

    Attributes
    ----------
    chosen : the addresses of the settings: the connector, blocks of the language model
    asked, training : the items, and those of training groups that erasers are fitted on
    options : by intervention, its settings
    note : tells why something is left out
    """

    reader: Reader
    chosen: Sequence[str]
    asked: Sequence[AskedItem]
    training: Sequence[AskedItem]
    options: dict[str, Any]
    seed: int
    size: int | str
    note: Callable[[str], None]
    erasers: list[dict[str, Any]] = field(default_factory=list)

    def addresses(self, span: str) -> list[str]:
        """Return the chosen addresses at which tokens of a span have a state, in order."""
        blocks = [parse(a).block for a in self.chosen if a != CONNECTOR]
        _, answering = answering_blocks(list(self.reader.adapter.addresses()))
        stem = DECODER if span == LAST and answering[0].startswith(DECODER) else LM
        before = [a for a in self.chosen if a == CONNECTOR and span in IN_IMAGE]
        known = self.reader.adapter.addresses()
        return before + [a for n in blocks if (a := f"{stem}.{n}") in known]

    @cached_property
    def samples(self) -> dict[str, Sample]:
        """The image tokens of the training items, by address."""
        return collect(self.reader, self.training, self.chosen, self.size, self.note)

    @cached_property
    def held_out(self) -> dict[str, Sample]:
        """The image tokens of the items asked, by address."""
        return collect(self.reader, self.asked, list(self.samples), self.size, self.note)
