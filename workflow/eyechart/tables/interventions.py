"""The tables of interventions: answers under every edit, their effects, and erasers."""

from eyechart.tables.parquet import schema

EDITED = ("intervention", "address", "until", "direction", "target", "concept")
NONE, SWAP = "none", "swap"  # the unedited answers: on own images, and on those of a donor
BEST = "best"
NOISE, DENOISE = "noise", "denoise"
MOVED, TO_DONOR, RIGHT = "moved", "to_donor", "right"
METRICS = (RIGHT, MOVED, TO_DONOR)

EDITS = schema(
    "model dataset item_id task group: string",
    "intervention address until direction target concept control: string",
    "draw: int32",
    "donor_id: string",
    "log_probability: list of float64",
    "predicted: string",
    "right moved to_donor: bool",
    "recovered: float64",
)
"""One row per item, edit and control. Metadata `note`: what was left out, and why.

intervention: `patch`, `knockout`, `ablate`, `erase`; `none`, the answer without any, and `swap`,
  the answer to the question on the donor's images
address: Where: `connector`, or the block behind which states are written; of a knockout the first
  block that is cut
until: The last block; as `address` if it is one
direction: Of a patch `noise` (the donor's states in the item's run) or `denoise` (the item's in the
  donor's); of a knockout the tokens that cannot attend: `question`, `last`, or `text` for both
target: Tokens that are changed, or that cannot be attended to: `image`, `referent`, `question`,
  `last`
concept: The task whose answers are erased
control: Kind of the control; empty for the edit itself. `same_answer` donor; `other_object`;
  `random` subspace; `permuted` labels
draw: Number of the control
donor_id: The item that gives images or states; null if none
log_probability (nats): Of each choice
predicted: The choice that follows from them
right: Whether it is the item's answer
moved: Whether it differs from the unedited answer
to_donor: Whether it moved to the answer that the donor's images give; null without a donor
recovered (share): How far the log-odds of these two answers went from the unedited value (0) to
  that on the donor's images (1); null where the two answers are one
"""

EFFECTS = schema(
    "model dataset intervention address until direction target concept control: string",
    "task metric chosen: string",
    "value ci_low ci_high control_value unedited: float64",
    "difference difference_low difference_high p q: float64",
    "equal: bool",
    "n groups: int32",
)
"""One row per edit, kind of control, task and metric: target minus control on the same items.

intervention, until, direction, target, concept: As in the table of edits
address: As there; `best`: the one with the largest effect on one half of the groups, scored on the
  other, over many halves
control: Kind of the control; `none`: there is none but the unedited answer; `swap`: the answer on
  the donor's images, of `denoise`
metric: `right` answers, answers that `moved`, or that moved `to_donor`
chosen: Of `best`, the addresses that were chosen in a quarter of the halves
value (share): Under the edit
control_value (share): Under the control, mean over its draws
unedited (share): Without an edit
difference: Value minus control_value
difference_low, difference_high: End of its 95 % interval, by group
p: Sign-flip test of the difference by group; with one item per group McNemar's
q: p, corrected over all tests of the file (Benjamini–Hochberg)
equal: Whether the 90 % interval of the difference lies within the margin, `verdict.margin`
"""

ERASERS = schema(
    "model dataset address concept control: string",
    "draw rank tokens: int32",
    "variance_removed: float64",
    "decodable_before before_low before_high decodable_after after_low after_high: float64",
    "majority: float64",
    "n groups: int32",
)
"""One row per address, concept and eraser: what it removes.

concept: The task whose answers are erased
control: Empty for the concept itself; `random` subspace, `permuted` labels
draw: Number of the control
rank: Dimensions that are removed
tokens: Labelled image tokens of training groups that it is fitted on
variance_removed: Share of the variance of all image tokens
decodable_before, decodable_after (share): Tokens of held-out groups whose class a linear
  discriminant finds, before and after
before_low, before_high, after_low, after_high: End of its 95 % interval, by group
majority (share): Tokens of the commonest class
n: Tokens of held-out groups
"""
