"""The tables of attention to images, and of the logit lens.

``attention.parquet`` has a row per item, block, head and region; ``lens.parquet`` a row per item,
block and position; ``words.parquet`` the likeliest words at each image token; ``maps.parquet`` the
attention on each image token, of the few items that are drawn; ``summary.parquet`` means with
intervals. A table that a family cannot fill has no rows, and its metadata states the ``reason``.
"""

from eyechart.tables.parquet import schema

WHOLE = ""  # the region of rows about the whole image
ANSWER = "answer"  # the position of the lens that precedes the answer

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
control: Whether the region is that of another item
image_mass (share): Attention of the answer position on image tokens
mass (share): Attention on the region's tokens
area (share): The region's share of the image tokens; of the whole image, that of the prompt
ratio: (mass / image_mass) / area; 1 is no preference
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
role: `answer`, or as in the table of attention
log_probability (nats): Of the first token that distinguishes each choice
p_right (share): Probability of the right choice among all choices
predicted: Choice with the highest log-probability
rank: Rank of the right choice's token among all words; null at image tokens
word: Likeliest word; null at image tokens
final: Choice that the last block prefers; null at image tokens
first_layer: Block from which on that choice is preferred; null at image tokens
"""

WORDS = schema(_ITEM, "rank: int32", "words: list of string", "log_probability: list of float32")
"""One row per item, block and rank: the likeliest words at each image token.

rank: 1 for the likeliest
words: One word per image token
log_probability (nats): Of these words
"""

MAPS = schema(
    _ITEM,
    "image_id: string",
    "number: int32",
    "attention: list of float32",
    "places: list of float32[7]",
)
"""One row per item, block and image, of the items that are drawn in the report.

image_id: The image
number: Its number among the item's images, from 0
attention (share): Of the answer position, on each image token: mean over heads
places: View, row, column, left, top, right, bottom of each image token, edges in pixels
"""

SUMMARY = schema(
    "model dataset task metric role address: string",
    "head: int32",
    "value ci_low ci_high chance control difference difference_low difference_high p q: float64",
    "n groups: int32",
)
"""One row per task, metric, role, block and head, means over items.

metric: `image_mass` and `ratio` of the attention; `lens_p_right`; `lens_settled`, the share of
  items that already prefer the final choice
role: The region's role; `answer` for the lens at the answer position
head: Number of the head; null: all heads
value: Mean over items
chance: Value without any preference
control: The same with the regions of other items
difference: Value minus control; of `image_mass`, value minus chance
difference_low, difference_high: End of its 95 % interval
p: Sign test of groups of this difference
q: Corrected over the tests of the metric, blocks and heads separately (Benjamini–Hochberg)
"""
