"""The tables of scores, distributions of responses, patterns and their correlations."""

from eyechart.tables.parquet import schema

SCORES = schema(
    "model dataset condition task metric: string",
    "value ci_low ci_high chance: float64",
    "n groups: int32",
    "against: string",
    "difference p q: float64",
)
"""One row per condition, task and metric.

condition: How the image was shown
task: Name of the task; `all` for the whole dataset
metric: `accuracy`, `pair_accuracy`, `bleu_4`, `cider_d`, `recall_5_text` and others, depending on
  the dataset
value: The metric; a share, unless its name says otherwise; `cider_d` is 0 to 10
ci_low, ci_high: 95% interval, by bootstrap over groups; with fewer than ten groups, the interval
  of a share adds two right and two wrong groups, and other metrics have none
chance: Expected value for choices drawn at random
n: Number of items, or of pairs for `pair_accuracy`
against: The condition it is compared with; null if none
difference: Value minus the other condition's, on the same items
p: McNemar's exact test, by group
"""

DISTRIBUTIONS = schema(
    "model dataset condition task kind answer: string", "truth predicted: float64", "n: int32"
)
"""One row per condition, task, kind and answer.

condition: How the image was shown
task: Name of the task; `all` for the whole dataset
kind: `choice` for the text of the answer; `place` for its position among the choices
answer: The text, or the position
truth (share): How often it is the right answer
predicted (share): How often it is predicted
"""

PATTERNS = schema(
    "model kind dataset pattern: string", "accuracy ci_low ci_high chance: float64", "pairs: int32"
)
"""One row per model, dataset and visual pattern of MMVP. A pair is right if both of its items are.

kind: `encoder` or `vlm`
pattern: Name of the pattern; `all` for all nine
accuracy (share): Share of pairs answered correctly
pairs: Number of pairs
"""

CORRELATIONS = schema(
    "encoder vlm encoder_dataset vlm_dataset kind: string",
    "r ci_low ci_high p q: float64",
    "n: int32",
)
"""One row per encoder, VLM and kind of correlation, over their common patterns.

encoder, vlm: Name in the registry
encoder_dataset: Dataset that the encoder answered
vlm_dataset: Dataset that the VLM answered
kind: `pearson` or `spearman`
r: Correlation coefficient; null for fewer than three patterns, or for constant accuracies
ci_low, ci_high: End of the 95% interval, by bootstrap over patterns
p: Permutation test
n: Number of patterns
"""

ALL = "all"  # the task of rows over all tasks of a dataset

NINE_PATTERNS = (  # MMVP's patterns, in the paper's order
    *("orientation", "presence", "state", "quantity", "position"),
    *("color", "structure", "text", "viewpoint"),
)


def pattern_order(pattern: str) -> tuple[int, str]:
    """Return a sort key: the nine patterns in the paper's order, then others by name."""
    known = pattern in NINE_PATTERNS
    return NINE_PATTERNS.index(pattern) if known else len(NINE_PATTERNS), pattern
