"""An intervention at one address, and the setup for planning a model's interventions."""

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
CONTROLS = {DONOR: "", CONTROL: SAME_ANSWER}  # name of a donor's edit in `control`


@dataclass(frozen=True)
class Edit:
    """An intervention: its address, tokens and donor, as columns of the table ``edits``.

    Attributes
    ----------
    answer : function that answers the items of a batch under the edit
    target, region : the tokens that it changes, and another region that an item must have, if any
    control, draw : the kind of control and its number; empty for the edit itself
    donor : ``donor`` or ``control``, the source of its states, if any
    until : the last block of an edit in several blocks; otherwise empty
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
        """Return whether an item has the donor and the regions that the edit needs."""
        whose = [OWN, *([self.donor] if self.donor else [])]
        known = not self.donor or self.donor in asked.donors
        return known and all(asked.has(span, *whose) for span in (self.target, self.region))


def region_controls(span: str) -> tuple[str, ...]:
    """Return the values of ``control`` for an edit of a span's tokens without a donor.

    The control for the referent's tokens is another object's tokens; the control for all image
    tokens is the unedited answer.
    """
    return ("", OTHER_OBJECT) if span == REFERENT else ("",)


@dataclass(frozen=True)
class Setup:
    """The setup from which a model's edits are planned.

    Attributes
    ----------
    chosen : the addresses in the settings: the connector and blocks of the language model
    asked, training : the test items, and the training items that erasers are fitted on
    options : by intervention, its settings
    note : function that records why something is left out
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
        """Return the chosen addresses at which a span's tokens have states, in order."""
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
        """The image tokens of the test items, by address."""
        return collect(self.reader, self.asked, list(self.samples), self.size, self.note)
