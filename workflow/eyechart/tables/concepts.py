"""The tables of concept similarity: which cue wins, how concepts separate, and where they lie."""

import pyarrow as pa

_PLACE = [
    ("model", pa.string()),
    ("dataset", pa.string()),
    ("scope", pa.string()),  # image, item; of answers: item
    ("address", pa.string()),  # or ANSWER
    ("span", pa.string()),  # empty for answers
    ("prompt", pa.string()),  # its text; empty where none is read; ALL where several are pooled
]

CUES = pa.schema(
    [
        *_PLACE,
        ("method", pa.string()),  # centroid, knn, answer
        ("components", pa.int32()),  # 0: the raw vectors; null for answers
        ("cue", pa.string()),  # word, font, background, other, congruent, concept
        ("share", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("chance", pa.float64()),
        ("n", pa.int32()),
        ("groups", pa.int32()),
        ("against", pa.string()),  # of the leading cue: the next
        ("difference", pa.float64()),
        ("p", pa.float64()),
        ("q", pa.float64()),
    ]
)

SEPARATION = pa.schema(
    [
        *_PLACE,
        ("components", pa.int32()),
        ("explained", pa.float64()),  # share of the concepts' variance in the first n components
        ("ratio", pa.float64()),  # between-centroid over within-class scatter; null: none within
        ("ratio_low", pa.float64()),
        ("ratio_high", pa.float64()),
        ("accuracy", pa.float64()),  # leave-one-out, nearest centroid
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("chance", pa.float64()),
        ("control", pa.float64()),  # the same with permuted labels: mean, and 95 % of permutations
        ("control_low", pa.float64()),
        ("control_high", pa.float64()),
        ("n", pa.int32()),
        ("groups", pa.int32()),
        ("needed", pa.int32()),  # least n whose ci_low is above the threshold; null: none
        ("threshold", pa.float64()),
    ]
)

PROJECTION = pa.schema(
    [
        *_PLACE,
        ("id", pa.string()),  # image_id or item_id, as the scope says
        ("image_id", pa.string()),
        ("group", pa.string()),
        ("word", pa.string()),  # null for a concept picture
        ("font", pa.string()),
        ("background", pa.string()),
        ("concept", pa.string()),  # null for a word picture
        ("rgb", pa.list_(pa.int32())),  # sRGB of the concept, or of the font; null if unknown
        ("first", pa.float64()),  # principal components
        ("second", pa.float64()),
        ("components", pa.int32()),  # how many `nearest` was found with
        ("nearest", pa.string()),
        ("voted", pa.string()),
    ]
)

ANSWER = "answer"  # the address of what the model says
ALL = "all prompts"
WORD, FONT, BACKGROUND, OTHER = "word", "font", "background", "other"
CONGRUENT, CONCEPT = "congruent", "concept"
SHARES = (WORD, FONT, BACKGROUND, OTHER)
