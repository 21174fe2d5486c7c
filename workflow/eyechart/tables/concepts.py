"""The tables of concept similarity: cues, separation of concepts, and their projection."""

import pyarrow as pa

_PLACE = [
    ("model", pa.string()),
    ("dataset", pa.string()),
    ("scope", pa.string()),
    ("address", pa.string()),
    ("span", pa.string()),
    ("prompt", pa.string()),
]

CUES = pa.schema(
    [
        *_PLACE,
        ("method", pa.string()),
        ("components", pa.int32()),
        ("cue", pa.string()),
        ("share", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("chance", pa.float64()),
        ("n", pa.int32()),
        ("groups", pa.int32()),
        ("against", pa.string()),
        ("difference", pa.float64()),
        ("p", pa.float64()),
        ("q", pa.float64()),
    ]
)
"""One row per address, span, prompt, method, number of components and cue.

scope: `image` or `item`; of responses `item`
address: The layer; `answer` for the model's responses
span: Tokens pooled there; empty for responses
prompt: Its text; empty where there is none; `all prompts` where several are pooled
method: `centroid`, `knn`, or `answer`
components: Number of principal components; 0: the raw vectors; null for responses
cue: `word`, `font`, `background`, `other`; `congruent` words and `concept` images are checks
share (share): Images that the cue decides
against: Of the leading cue: the next one
difference (share): Share of the leading cue minus that of the next
p: McNemar's exact test of the two, by group
"""

SEPARATION = pa.schema(
    [
        *_PLACE,
        ("components", pa.int32()),
        ("explained", pa.float64()),
        ("ratio", pa.float64()),
        ("ratio_low", pa.float64()),
        ("ratio_high", pa.float64()),
        ("accuracy", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("chance", pa.float64()),
        ("control", pa.float64()),
        ("control_low", pa.float64()),
        ("control_high", pa.float64()),
        ("n", pa.int32()),
        ("groups", pa.int32()),
        ("needed", pa.int32()),
        ("threshold", pa.float64()),
    ]
)
"""One row per address, span, prompt and number of components.

scope: `image` or `item`
prompt: Its text; empty where there is none; `all prompts` where several are pooled
components: Number of principal components; 0: the raw vectors
explained (share): Variance of the concepts in these components
ratio: Between-centroid over within-class scatter; null where there is none within
ratio_low, ratio_high: End of its 95 % interval
accuracy (share): Leave-one-out, nearest centroid
control (share): The same with permuted labels: mean over permutations
control_low, control_high (share): End of the range that holds 95 % of the permutations
needed: Least number of components whose ci_low is above the threshold; null: none
threshold (share): Of the configuration
"""

PROJECTION = pa.schema(
    [
        *_PLACE,
        ("id", pa.string()),
        ("image_id", pa.string()),
        ("group", pa.string()),
        ("word", pa.string()),
        ("font", pa.string()),
        ("background", pa.string()),
        ("concept", pa.string()),
        ("rgb", pa.list_(pa.int32())),
        ("first", pa.float64()),
        ("second", pa.float64()),
        ("components", pa.int32()),
        ("nearest", pa.string()),
        ("voted", pa.string()),
    ]
)
"""One row per address, span, prompt and image of a word or concept.

scope: `image` or `item`
prompt: Its text; empty where there is none
id: `image_id` or `item_id`, as the scope says
word: Colour that a word image names; null for a concept image
font: Colour of its letters
background: Colour behind them
concept: Colour of a concept image; null for a word image
rgb: sRGB of the concept, or of the font; null where unknown
first: First principal component
second: Second principal component
components: How many `nearest` and `voted` were found with
nearest: Concept whose centroid is nearest
voted: Concept that the nearest neighbours vote for
"""

ANSWER = "answer"  # the address of rows about the model's responses
ALL = "all prompts"
WORD, FONT, BACKGROUND, OTHER = "word", "font", "background", "other"
CONGRUENT, CONCEPT = "congruent", "concept"
SHARES = (WORD, FONT, BACKGROUND, OTHER)
