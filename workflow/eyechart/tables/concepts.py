"""The tables of concept similarity: cues, separation of concepts, and projections."""

from eyechart.tables.parquet import schema

_PLACE = "model dataset scope address span prompt: string"

CUES = schema(
    _PLACE,
    "method: string",
    "components: int32",
    "cue: string",
    "share ci_low ci_high chance: float64",
    "n groups: int32",
    "against: string",
    "difference p q: float64",
)
"""One row per address, span, prompt, method, number of components and cue.

scope: `image` or `item`; `item` for responses
address: The layer; `answer` for the model's responses
span: Tokens pooled there; empty for responses
prompt: Text of the prompt; empty if there is none; `all prompts` if several are pooled
method: `centroid`, `knn`, or `answer`
components: Number of principal components; 0 for the raw vectors; null for responses
cue: `word`, `font`, `background`, `other`; `congruent` words and `concept` images serve as checks
share (share): Share of images decided by the cue
against: For the leading cue, the runner-up
difference (share): Share of the leading cue minus that of the runner-up
p: McNemar's exact test of these two cues, by group
"""

SEPARATION = schema(
    _PLACE,
    "components: int32",
    "explained ratio ratio_low ratio_high accuracy ci_low ci_high chance control: float64",
    "control_low control_high: float64",
    "n groups needed: int32",
    "threshold: float64",
)
"""One row per address, span, prompt and number of components.

scope: `image` or `item`
prompt: Text of the prompt; empty if there is none; `all prompts` if several are pooled
components: Number of principal components; 0 for the raw vectors
explained (share): Variance of the concepts explained by these components
ratio: Between-centroid over within-class scatter; null if the latter is zero
ratio_low, ratio_high: End of its 95% interval
accuracy (share): Leave-one-out accuracy of the nearest centroid
control (share): Accuracy with permuted labels, mean over permutations
control_low, control_high (share): Ends of the range that holds 95% of the permutations
needed: Smallest number of components whose ci_low is above the threshold; null if none
threshold (share): Threshold set in the configuration
"""

PROJECTION = schema(
    _PLACE,
    "id image_id group word font background concept: string",
    "rgb: list of int32",
    "first second: float64",
    "components: int32",
    "nearest voted: string",
)
"""One row per address, span, prompt and image of a word or concept.

scope: `image` or `item`
prompt: Text of the prompt; empty if there is none
id: `image_id` or `item_id`, depending on the scope
word: Colour named by a word image; null for a concept image
font: Colour of its letters
background: Colour behind them
concept: Colour of a concept image; null for a word image
rgb: sRGB of the concept or the font; null if unknown
first: First principal component
second: Second principal component
components: Number of components used for `nearest` and `voted`
nearest: Concept with the nearest centroid
voted: Concept chosen by the vote of the nearest neighbours
"""

ANSWER = "answer"  # the address of rows about the model's responses
ALL = "all prompts"
WORD, FONT, BACKGROUND, OTHER = "word", "font", "background", "other"
CONGRUENT, CONCEPT = "congruent", "concept"
SHARES = (WORD, FONT, BACKGROUND, OTHER)
