"""The table of a training curve."""

from eyechart.tables.parquet import schema

CURVE = schema("stage: string", "step: int32", "metric: string", "value: float64")
"""One row per logged step and metric.

stage: Stage of the training of the tiny models, `built` of a controlled model; of tuning
  `fold-0`, …, and then `true-0`, …
step: Optimizer steps done
metric: `loss`, `held_out_loss`, or a held-out accuracy
value: The metric; the loss in nats, accuracies as shares
"""
