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
control_value: Of `drop`, in random orders; of `ratio`, in the moved region
difference: Value minus control_value
difference_low, difference_high: End of its 95 % interval, by group
p: Sign-flip test of the difference by group
q: p, corrected over all tests of the file (Benjamini–Hochberg)
"""
