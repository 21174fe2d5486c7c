"""The tables of saliency: gradient maps, their deletion curves, and the summary."""

from eyechart.tables.parquet import schema

DROP, RATIO = "drop", "ratio"

MAPS = schema(
    "model dataset item_id task group method address image_id: string",
    "number: int32",
    "saliency: list of float32",
    "places: list of float32[7]",
)
"""One row per item, method, address and image. The metadata `note` lists omissions.

method: `gradient` (gradient times states), `integrated` gradients, `grad_cam`, `relevancy`
address: `connector` for the image tokens that the language model receives, or a block of the
  encoder
image_id: The image
number: Its index among the item's images, from 0
saliency (nats): Saliency of each image token for the choice; unitless for Grad-CAM and relevancy
places: View, row, column, left, top, right, bottom of each image token, edges in pixels
"""

CURVES = schema(
    "model dataset item_id task group method address choice: string",
    "log_probability total: float64",
    "deleted random: list of float64",
    "drop random_drop mass area ratio moved_ratio: float64",
)
"""One row per item, method and address. The metadata `note` lists omissions.

method, address: As in the table of maps
choice: The choice with the explained score
log_probability (nats): Log-probability of the choice; for an encoder, the scaled cosine of image
  and text
total: Sum of the map
deleted (nats): The score as image tokens are replaced by the mean token, most salient first, from
  none to all in equal steps
random (nats): The same for random orders, mean
drop, random_drop (nats): Decrease of the score, mean over all steps
mass (share): Share of the map's positive part in the item's region
area (share): Share of the image tokens in that region
ratio: mass / area; 1 means no preference
moved_ratio: The same for the region of another item, moved onto this image
"""

SUMMARY = schema(
    "model dataset task method address metric: string",
    "value ci_low ci_high control_value difference difference_low difference_high p q: float64",
    "n groups: int32",
)
"""One row per task, method, address and metric, means over items.

method, address: As in the table of maps
metric: `drop` (nats): decrease of the score as tokens are replaced, most salient first; `ratio`:
  mass of the map in the item's region, relative to a uniform map
value: Mean over items
ci_low, ci_high: Ends of its 95% interval, by group: bootstrap for at least 10 groups, otherwise
  Student's t; null for a single group
control_value: For `drop`, the value for random orders; for `ratio`, in the moved region
difference: Value minus control_value
difference_low, difference_high: End of its 95% interval, by group
p: Sign-flip test of the difference by group
q: p, corrected over all tests of the file (Benjamini–Hochberg)
"""

NORM, NEAREST, SINGULAR, RANK = "norm", "nearest", "singular", "rank"
MASS, CUT = "image_mass", "cut_from"

INPUTS = schema("model dataset metric address item_id group: string", "value control: float64")
"""One row per item and metric, and per matrix of the connector. The metadata `note` lists
omissions.

metric: `norm`: mean length of the image tokens that the language model receives, compared with text
  tokens; `nearest`: mean cosine of an image token and the nearest word of the vocabulary, compared
  with a random direction; for a matrix of the connector, `singular`: its largest singular value,
  and `rank`: its effective rank, compared with the number of its singular values
address: Path of the matrix; null for items
item_id, group: The item; null for matrices
value: Value of the metric
control: Value for comparison
"""

IMAGE_USE = schema(
    "model dataset task metric address: string",
    "value ci_low ci_high control_value: float64",
    "n groups: int32",
)
"""One row per measure of whether a model uses the image. The metadata `note` lists omissions.

metric: `changed_blank`, `changed_swapped`, …: share of answers that differ from the answer on the
  image itself; `image_mass`: attention to image tokens; `cut_from`: share of answers that change
  if no text attends to the image from a block onwards; `norm`, `nearest`, `singular` and `rank` as
  in the table above
dataset, task: Empty for measures of the model or over all tasks
address: Block or path of a matrix; otherwise empty
value: Value of the metric
control_value: Value for comparison: 0 (the same image twice), the share of the prompt that is
  image tokens, the unedited answer, text tokens, a random direction, the number of singular values
n: Number of items; 1 for a matrix
"""


def changed(condition: str) -> str:
    """Return the name of the metric of answers that change under a condition."""
    return f"changed_{condition}"
