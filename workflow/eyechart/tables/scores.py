"""The tables of scores: a row per condition, task and metric; and how answers are distributed."""

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

ALL = "all"  # the task of rows over all tasks of a dataset

NINE_PATTERNS = (  # of MMVP, in the paper's order
    *("orientation", "presence", "state", "quantity", "position"),
    *("color", "structure", "text", "viewpoint"),
)


def pattern_order(pattern: str) -> tuple[int, str]:
    """Return a sort key: the nine patterns in the paper's order, then others by name."""
    known = pattern in NINE_PATTERNS
    return NINE_PATTERNS.index(pattern) if known else len(NINE_PATTERNS), pattern
