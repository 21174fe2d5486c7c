"""The tables of readouts: items answered from representations alone, and their accuracy."""

from typing import NamedTuple

from eyechart.core.address import LM, VISION
from eyechart.tables.parquet import schema
from eyechart.tables.regions import BOX, POINT, WHOLE_IMAGE

READOUTS = schema(
    "model dataset task seen address readout: string",
    "value ci_low ci_high chance: float64",
    "n groups: int32",
    "answer difference p q: float64",
)
"""One row per task, `seen`, address and readout.

seen: `alone`: from single images; `canvas`: from the images shown to a VLM
address: The layer; `vision` or `lm` if several blocks of the encoder or the language model are read
  at once
readout: `points`, `gram`, `mean`, `cls`, `depth_linear` or `depth_dpt`; with `/shuffled`, its
  control: tokens shuffled over their positions
value (share): Share of items answered correctly
ci_low, ci_high (share): 95% interval by group that keeps its coverage for few groups, as in
  verdicts
answer (share): The model's own sighted accuracy on these items; null if it does not answer
difference (share): Value minus answer
p: McNemar's exact test of the two, by group
"""

PREDICTIONS = schema(
    "task seen address readout item_id: string",
    "scores: list of float64",
    "predicted answer: string",
)
"""One row per item, `seen`, address and readout.

seen: `alone` or `canvas`
readout: As in the table of readouts
scores: One score per choice; the choice with the highest is predicted
predicted: The choice with the highest score
answer: The true choice
"""

# The control of readout `points` is the row of readout `points/shuffled`: the same readout after
# the tokens of an item's images are shuffled over all their positions
SHUFFLED = "/shuffled"

DEPTH_LINEAR, DEPTH_DPT = "depth_linear", "depth_dpt"

CORRESPONDENCE = ("semantic_correspondence", "functional_correspondence", "low_level_matching")
ODD, ART, DEPTH = "odd_one_out", "art_style", "depth_order"


class Marks(NamedTuple):
    """The marks on a task's images: the shape of the regions, and whether one is a reference."""

    shape: str
    reference: bool


# The tasks with readouts, in the order of the tables
TASKS = {
    **dict.fromkeys(CORRESPONDENCE, Marks(POINT, reference=True)),
    ART: Marks(WHOLE_IMAGE, reference=True),
    ODD: Marks(WHOLE_IMAGE, reference=False),
    DEPTH: Marks(BOX, reference=False),
}
MANY = (VISION, LM)  # the addresses of readouts from several blocks at once

# Metadata key of READOUTS: JSON with `unread`, a list of {task, seen, stage, scope, items, of, why,
# first}, where `items` of `of` items could not be read; and `notes`, a list of sentences
NOTE = b"eyechart.readouts"
