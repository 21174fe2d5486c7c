"""The tables of concept similarity: cues, separation of concepts, and their projection."""

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
