"""The table of speed: the cost of running a model, by precision and batch size."""

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
"""One row per precision and batch size, or one row with `why` for a precision that cannot run here.

precision: `float32`, `bfloat16`, or quantised weights (`8 bit`, `4 bit`)
device: Name of the GPU, or `cpu`
batch_size: Number of images, each with a prompt, in one forward pass
threads: Number of CPU threads
parameters: Number of parameters of the model
best: Whether this batch size takes the least time per item in this precision
load (s): Time to load the weights
seconds (s): Median time per item: image and prompt through the whole model, from preprocessed
  inputs
flops: Operations per item, as counted by PyTorch; a multiply-add counts as two
share: Share of the device's peak in this precision; null if the peak is unknown
host (MB): Peak memory of the process, weights and libraries included
device_memory (MB): Peak memory of the GPU; null on a CPU
why: Why there are no numbers; otherwise null
"""
