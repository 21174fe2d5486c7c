"""The table of speed: what running a model costs, by precision and batch size."""

from eyechart.tables.parquet import schema

SPEED = schema(
    "model precision device: string",
    "batch_size threads: int32",
    "parameters: int64",
    "best: bool",
    "load seconds flops share: float64",
    "host device_memory: float64",
    "why: string",
)
"""One row per precision and batch size; one with `why` per precision that cannot run here.

precision: `float32`, `bfloat16`, or quantised weights: `8 bit`, `4 bit`
device: Name of the GPU, or `cpu`
batch_size: Images, each with a prompt, in one pass
threads: Of the CPU
parameters: Of the model
best: Whether an item takes least time with this batch size, of those of the precision
load (s): Reading the weights
seconds (s): An item: image and prompt through the whole model, from preprocessed inputs; median
flops: Operations of an item, two per multiplication and addition, counted by PyTorch
share: Of the device's peak in this precision, where that is known; else null
host (MB): Peak memory of the process, weights and libraries included
device_memory (MB): Peak memory of the GPU; null on a CPU
why: Why there are no numbers; else null
"""
