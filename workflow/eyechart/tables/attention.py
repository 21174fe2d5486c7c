"""The tables of attention to images and of the logit lens.

``attention.parquet`` has one row per item, block, head and region; ``lens.parquet`` one row per
item, block and position; ``words.parquet`` the likeliest words at each image token;
``maps.parquet`` the attention to each image token for the few items shown in the report;
``summary.parquet`` means with intervals. A table that a family cannot fill has no rows, and its
metadata states the ``reason``.
"""

from eyechart.tables.parquet import schema

WHOLE = ""  # the region name in rows about the whole image
ANSWER = "answer"  # the lens position that precedes the answer

_ITEM = "model dataset item_id task group address: string"

ATTENTION = schema(
    _ITEM,
    "head: int32",
    "region role: string",
    "control: bool",
    "image_mass mass area ratio: float32",
)
"""One row per item, block, head and region.

head: Number of the attention head
region: Name of the region; empty for the whole image
role: `image` (the whole image), `reference`, `right`, `wrong` or `other` choice
control: Whether the region comes from another item
image_mass (share): Attention of the answer position to image tokens
mass (share): Attention to the region's tokens
area (share): The region's share of the image tokens; for the whole image, its share of the prompt
ratio: (mass / image_mass) / area; 1 means no preference
"""

LENS = schema(
    _ITEM,
    "place role: string",
    "log_probability: list of float64",
    "p_right: float64",
    "predicted: string",
    "rank: int32",
    "word final: string",
    "first_layer: int32",
)
"""One row per item, block and position: the logit lens.

place: `answer` for the answer position, `image` for the mean over the image, or the name of a
  region
role: `answer`, or a role as in the table of attention
log_probability (nats): The log-probability of the first token that distinguishes each choice
p_right (share): Probability of the right choice among all choices
predicted: Choice with the highest log-probability
rank: Rank of the right choice's token in the vocabulary; null at image tokens
word: Likeliest word; null at image tokens
final: Choice preferred at the last block; null at image tokens
first_layer: First block from which on that choice is always preferred; null at image tokens
"""

WORDS = schema(_ITEM, "rank: int32", "words: list of string", "log_probability: list of float32")
"""One row per item, block and rank: the likeliest words at each image token.

rank: 1 for the likeliest
words: One word per image token
log_probability (nats): Log-probability of each of these words
"""

MAPS = schema(
    _ITEM,
    "image_id: string",
    "number: int32",
    "attention: list of float32",
    "places: list of float32[7]",
)
"""One row per item, block and image, for the items shown in the report.

image_id: The image
number: Its index among the item's images, from 0
attention (share): Attention of the answer position to each image token, mean over heads
places: View, row, column, left, top, right, bottom of each image token, edges in pixels
"""

SUMMARY = schema(
    "model dataset task metric role address: string",
    "head: int32",
    "value ci_low ci_high chance control difference difference_low difference_high p q: float64",
    "n groups: int32",
)
"""One row per task, metric, role, block and head, means over items.

metric: `image_mass` or `ratio` for attention; `lens_p_right`; or `lens_settled`, the share of items
  that already prefer the final choice
role: The region's role; `answer` for the lens at the answer position
head: Number of the head; null for all heads
value: Mean over items
chance: Expected value without any preference
control: Value for the regions of other items
difference: Value minus control; for `image_mass`, value minus chance
difference_low, difference_high: End of its 95% interval
p: Sign test of this difference by group
q: p, corrected over the tests of the metric, separately for blocks and for heads
  (Benjamini–Hochberg)
"""
