"""The tables of saliency: maps by gradients, their deletion curves, and the summary."""

from eyechart.tables.parquet import schema

DROP, RATIO = "drop", "ratio"

MAPS = schema(
    "model dataset item_id task group method address image_id: string",
    "number: int32",
    "saliency: list of float32",
    "places: list of float32[7]",
)
"""One row per item, method, address and image. Metadata `note`: what was left out, and why.

method: `gradient` (gradient times states), `integrated` gradients, `grad_cam`, `relevancy`
address: `connector`: image tokens as the language model takes them; or a block of the encoder
image_id: The image
number: Its number among the item's images, from 0
saliency (nats): Of each image token, for the choice; of Grad-CAM and relevancy without a unit
places: View, row, column, left, top, right, bottom of each image token, edges in pixels
"""

CURVES = schema(
    "model dataset item_id task group method address choice: string",
    "log_probability total: float64",
    "deleted random: list of float64",
    "drop random_drop mass area ratio moved_ratio: float64",
)
"""One row per item, method and address. Metadata `note`: what was left out, and why.

method, address: As in the table of maps
choice: The choice whose score is explained
log_probability (nats): Of the choice; of an encoder the scaled cosine of image and text
total: Sum of the map
deleted (nats): The score while more and more image tokens become the mean token, the most salient
  first; from none to all, in equal steps
random (nats): The same in random orders, mean
drop, random_drop (nats): How far the score falls on the way, mean over all steps
mass (share): Of the map's positive part, in the region that the item is about
area (share): Of the image tokens in that region
ratio: mass / area; 1 is no preference
moved_ratio: The same in the region of another item, moved onto the image
"""

SUMMARY = schema(
    "model dataset task method address metric: string",
    "value ci_low ci_high control_value difference difference_low difference_high p q: float64",
    "n groups: int32",
)
"""One row per task, method, address and metric, means over items.

method, address: As in the table of maps
metric: `drop` (nats): how far the score falls while tokens are replaced, the most salient first;
  `ratio` of the map in the region that the item is about, relative to uniform
value: Mean over items
ci_low, ci_high: End of its 95 % interval, by group: a bootstrap, from 10 groups on, else
  Student's t; null for a single group
control_value: Of `drop`, in random orders; of `ratio`, in the moved region
difference: Value minus control_value
difference_low, difference_high: End of its 95 % interval, by group
p: Sign-flip test of the difference by group
q: p, corrected over all tests of the file (Benjamini–Hochberg)
"""

NORM, NEAREST, SINGULAR, RANK = "norm", "nearest", "singular", "rank"
MASS, CUT = "image_mass", "cut_from"

INPUTS = schema("model dataset metric address item_id group: string", "value control: float64")
"""One row per item and metric, and per matrix of the connector. Metadata `note`: what is missing.

metric: `norm`: mean length of image tokens as the language model takes them, beside that of text
  tokens; `nearest`: mean cosine of an image token and the nearest word of the vocabulary, beside
  that of a random direction; of a matrix of the connector `singular`, its largest singular value,
  and `rank`, its effective rank beside the number of its singular values
address: Path of the matrix; null for items
item_id, group: The item; null for matrices
value: As the metric says
control: What it is compared with
"""

IMAGE_USE = schema(
    "model dataset task metric address: string",
    "value ci_low ci_high control_value: float64",
    "n groups: int32",
)
"""One row per number that tells whether a model looks at the image. Metadata `note`: what is
missing.

metric: `changed_blank`, `changed_swapped`, …: share of answers that differ from that on the image
  itself; `image_mass`: attention on image tokens; `cut_from`: share of answers that move if no
  text attends to the image from a block on; `norm`, `nearest`, `singular` and `rank` as in the
  table above
dataset, task: Empty for what is of the model or of all tasks
address: Block, or path of a matrix; else empty
value: As the metric says
control_value: What it is compared with: 0 (the same image twice), the share of the prompt that is
  image tokens, the unedited answer, text tokens, a random direction, the number of singular values
n: Number of items; 1 of a matrix
"""


def changed(condition: str) -> str:
    """Return the metric of answers that change under a condition."""
    return f"changed_{condition}"
