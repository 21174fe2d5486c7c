"""The tables of interventions: answers under every edit, their effects, and erasers."""

from eyechart.tables.parquet import schema

EDITED = ("intervention", "address", "until", "direction", "target", "concept")
NONE, SWAP = "none", "swap"  # the unedited answers, on the item's own images and on a donor's
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
"""One row per item, edit and control. The metadata `note` lists omissions.

intervention: `patch`, `knockout`, `ablate`, `erase`; `none` for the unedited answer; `swap` for the
  unedited answer on the donor's images
address: `connector`, or the block after which states are written; for a knockout, the first block
  that is cut
until: The last block; equal to `address` if there is only one
direction: For a patch, `noise` (the donor's states in the item's run) or `denoise` (the item's
  states in the donor's run); for a knockout, the tokens that cannot attend: `question`, `last`, or
  `text` for both
target: Tokens that are changed or cannot be attended to: `image`, `referent`, `question`, `last`
concept: Task whose answers are erased
control: Kind of the control; empty for the edit itself. `same_answer` donor; `other_object`;
  `random` subspace; `permuted` labels
draw: Number of the control
donor_id: Item that provides images or states; null if none
log_probability (nats): Log-probability of each choice
predicted: Choice selected by these log-probabilities
right: Whether the predicted choice is the item's answer
moved: Whether the predicted choice differs from the unedited answer
to_donor: Whether it moved to the answer on the donor's images; null without a donor
recovered (share): How far the log-odds of these two answers moved from the unedited value (0) to
  the value on the donor's images (1); null if the two answers are equal
"""

EFFECTS = schema(
    "model dataset intervention address until direction target concept control: string",
    "task metric chosen: string",
    "value ci_low ci_high control_value unedited: float64",
    "difference difference_low difference_high p q: float64",
    "equal: bool",
    "n groups: int32",
)
"""One row per edit, kind of control, task and metric: edit minus control on the same items.

intervention, until, direction, target, concept: As in the table of edits
address: As in the table of edits; `best`: the address with the largest effect on one half of the
  groups, scored on the other half, over many splits
control: Kind of the control; `none` if the only comparison is the unedited answer; for `denoise`,
  `swap`: the answer on the donor's images
metric: Share of answers that are `right`, `moved`, or moved `to_donor`
chosen: For `best`, the addresses chosen in at least a quarter of the halves
value (share): The metric under the edit
control_value (share): The metric under the control, mean over its draws
unedited (share): The metric without an edit
difference: Value minus control_value
difference_low, difference_high: End of its 95% interval, by group
p: Sign-flip test of the difference by group; with one item per group, McNemar's test
q: p, corrected over all tests of the file (Benjamini–Hochberg)
equal: Whether the 90% interval of the difference lies within the margin, `verdict.margin`
"""

ERASERS = schema(
    "model dataset address concept control: string",
    "draw rank tokens: int32",
    "variance_removed: float64",
    "decodable_before before_low before_high decodable_after after_low after_high: float64",
    "majority: float64",
    "n groups: int32",
)
"""One row per address, concept and eraser: the size and effect of the erasure.

concept: Task whose answers are erased
control: Empty for the concept itself; `random` subspace, `permuted` labels
draw: Number of the control
rank: Number of dimensions removed
tokens: Number of labelled image tokens, from training groups, used to fit the eraser
variance_removed: Share of the variance of all image tokens that is removed
decodable_before, decodable_after (share): Accuracy of a linear discriminant on tokens of held-out
  groups, before and after erasure
before_low, before_high, after_low, after_high: End of its 95% interval, by group
majority (share): Share of the most common class among these tokens
n: Number of tokens from held-out groups
"""
