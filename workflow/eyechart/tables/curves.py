"""The table of a training curve."""

import pyarrow as pa

CURVE = pa.schema(
    [
        ("stage", pa.string()),
        ("step", pa.int32()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)
"""One row per logged step and metric.

stage: Stage of the training of the tiny models
step: Optimizer steps done
metric: `loss`, or a held-out accuracy
value: The metric; the loss in nats, accuracies as shares
"""
