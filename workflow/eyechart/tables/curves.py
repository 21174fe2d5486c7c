"""The table of a training curve."""

from eyechart.tables.parquet import schema

CURVE = schema("stage: string", "step: int32", "metric: string", "value: float64")
"""One row per logged step and metric.

stage: Training stage of the tiny models; `built` for a controlled model; for tuning `fold-0`, …,
  then `true-0`, …
step: Completed optimizer steps
metric: `loss`, `held_out_loss`, or a held-out accuracy
value: Value of the metric; losses in nats, accuracies as shares
"""
