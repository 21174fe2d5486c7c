"""The tables of scores, distributions of responses, patterns and their correlations."""

import pyarrow as pa

SCORES = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("condition", pa.string()),
        ("task", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
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
"""One row per condition, task and metric.

condition: How the image was shown
task: Name of the task; `all` for all of the dataset
metric: `accuracy`, `pair_accuracy`, `bleu_4`, `recall_5_text` and others, depending on the dataset
value: The metric; a share, unless its name says otherwise
chance: Expected value of choices drawn at random
n: Items, or pairs for `pair_accuracy`
against: The condition compared with; null where nothing is compared
difference: Value minus that of the other condition, on the same items
p: McNemar's exact test, by group
"""

DISTRIBUTIONS = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("condition", pa.string()),
        ("task", pa.string()),
        ("kind", pa.string()),
        ("answer", pa.string()),
        ("truth", pa.float64()),
        ("predicted", pa.float64()),
        ("n", pa.int32()),
    ]
)
"""One row per condition, task, kind and answer.

condition: How the image was shown
task: Name of the task; `all` for all of the dataset
kind: `choice`: by the text of the answer; `place`: by its position among the choices
answer: The text, or the position
truth (share): How often it is true
predicted (share): How often it is predicted
"""

PATTERNS = pa.schema(
    [
        ("model", pa.string()),
        ("kind", pa.string()),
        ("dataset", pa.string()),
        ("pattern", pa.string()),
        ("accuracy", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("chance", pa.float64()),
        ("pairs", pa.int32()),
    ]
)
"""One row per model, dataset and visual pattern of MMVP. A pair is right if both of its items are.

kind: `encoder` or `vlm`
pattern: Name of the pattern; `all` for all nine
accuracy (share): Pairs answered right
pairs: Number of pairs
"""

CORRELATIONS = pa.schema(
    [
        ("encoder", pa.string()),
        ("vlm", pa.string()),
        ("encoder_dataset", pa.string()),
        ("vlm_dataset", pa.string()),
        ("kind", pa.string()),
        ("r", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("p", pa.float64()),
        ("q", pa.float64()),
        ("n", pa.int32()),
    ]
)
"""One row per encoder, VLM and kind of correlation, over the patterns that both have.

encoder, vlm: Name in the registry
encoder_dataset: Dataset that the encoder answered
vlm_dataset: Dataset that the VLM answered
kind: `pearson` or `spearman`
r: Coefficient of correlation; null for fewer than three patterns, or constant accuracies
ci_low, ci_high: End of the 95 % interval, by bootstrap over patterns
p: Permutation test
n: Patterns
"""

ALL = "all"  # the task of rows over all tasks of a dataset

NINE_PATTERNS = (  # of MMVP, in the paper's order
    *("orientation", "presence", "state", "quantity", "position"),
    *("color", "structure", "text", "viewpoint"),
)


def pattern_order(pattern: str) -> tuple[int, str]:
    """Return a sort key: the nine patterns in the paper's order, then others by name."""
    known = pattern in NINE_PATTERNS
    return NINE_PATTERNS.index(pattern) if known else len(NINE_PATTERNS), pattern
