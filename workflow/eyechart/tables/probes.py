"""The two tables of a probed task: metrics and the predictions behind them."""

import pyarrow as pa

KINDS = ("task", "control_type", "control_permutation", "majority")

_KEY = [
    ("address", pa.string()),
    ("span", pa.string()),
    ("probe", pa.string()),
    ("seed", pa.int32()),
    ("kind", pa.string()),
]

PROBES = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("task", pa.string()),
        ("scope", pa.string()),
        *_KEY,
        ("n_train", pa.int32()),
        ("n_test", pa.int32()),
        ("n_classes", pa.int32()),
        ("chance", pa.float64()),
        ("accuracy", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("train_accuracy", pa.float64()),
        ("cv_accuracy", pa.float64()),
        ("selectivity", pa.float64()),
        ("selectivity_permutation", pa.float64()),
        ("p_mcnemar", pa.float64()),
        ("p_ztest", pa.float64()),
        ("q", pa.float64()),
        ("lr", pa.float64()),
        ("weight_decay", pa.float64()),
        ("epochs", pa.int32()),
    ]
)

PREDICTIONS = pa.schema(
    [*_KEY, ("id", pa.string()), ("truth", pa.string()), ("prediction", pa.string())]
)
