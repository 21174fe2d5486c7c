"""Estimates of the sizes of models and datasets: parameters, widths, bytes, rows, seconds.

The comment of a measured constant states its conditions; the other constants are arithmetic.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

from eyechart.models.spec import Spec
from eyechart.plan import counts, parts, paths
from eyechart.plan.behavior import questions
from eyechart.plan.configuration import Config, scope_of
from eyechart.plan.layout import Size

GROWTH = 1.5  # memory and time of an attempt, relative to the previous attempt
START_MINUTES = 10  # added to every job: slow file systems and imports
SLACK = 2  # requested time, relative to the estimate
PROCESS_MB = 2000  # Python, torch and, mostly, the libraries of a GPU

# A model in memory. Measured: the tiny models take 0.53 GB in total, including 0.4 GB for Python,
# torch and transformers; 64 M parameters in float32 take 1.19 GB (bench/extraction.md).
WEIGHT_COPIES = 1.3  # relative to the weights: one weight file is read next to the model
VALUE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
BLOCKS = 32  # if the spec does not state it: LLaMA 7B's
TOKENS = 1000  # of one prompt with its image: LLaVA 1.5 has 576 image tokens, tiles up to 2880
LIVE_TENSORS = 16  # activations of a token in one block, each as wide as the model

# A model on a device
GPU_FROM = 10e6  # parameters; with fewer, a CPU is as fast as image loading (measured at 1.7 M)
GPU_MB = 80_000  # of one GPU, for models that do not fit on one
GPU_SHARE = 0.8  # share of a GPU's memory for weights
GPU_FLOPS = 5e13  # a sixth of an A100's 312e12 in bfloat16
GPU_PROBE_FLOPS = 1e13  # for training probes in float32: half of an A100's 19.5e12
# Of one thread; measured on a 2.5 GHz Xeon with AVX-512: 8.8e10 in a forward pass, 2.8e10 to 4.4e10
# when training probes on 128 to 4,096 features
CPU_FLOPS = 3e10
READ_MB_S = 200  # weights and shards over a shared file system

# Datasets
# Share of a released dataset's questions in a task (Johnson et al. 2017, question types: a quarter
# are counts, two fifths have the answer yes or no), and in any other task (in CLEVR's val, shape
# has 13,273 of 149,991)
TASK_SHARES = {"number": 0.24, "boolean": 0.41}
TASK_SHARE = 0.09


def grow(amount: float, attempt: int) -> int:
    """Return the amount that an attempt requests, rounded up."""
    return math.ceil(amount * GROWTH ** (attempt - 1))


def minutes(seconds: float, attempt: int) -> int:
    """Return the minutes that an attempt requests for work of this many seconds."""
    return grow(START_MINUTES + SLACK * seconds / 60, attempt)


@dataclass(frozen=True)
class Sizes:
    """Estimates from a validated configuration and the specs of all models."""

    config: Config
    specs: dict[str, Spec]
    results: str = paths.RESULTS

    def size(self, dataset: str) -> Size:
        """Return the size of a dataset."""
        return counts.count(dataset, self._expected(dataset), self.results)

    @cached_property
    def _expected(self) -> Callable[[str], Size]:
        return cache(partial(counts.expected, self.config))

    def rows(self, dataset: str) -> tuple[int, int]:
        """Return the numbers of images and questions in a dataset."""
        size = self.size(dataset)
        return size.images, size.items

    def asked(self, dataset: str) -> float:
        """Return the number of a dataset's items that models answer."""
        size, how = self.size(dataset), questions(self.config, dataset)
        chosen = size.tested if how["items"] == "test" else size.items
        share = min(1, how["most"] / max(1, size.groups)) if how["most"] else 1
        return min(chosen, size.items * share)

    def scope_rows(self, wildcards: Any) -> int:
        """Return the number of images or questions in a scope."""
        images, items = self.rows(wildcards.dataset)
        return items if wildcards.scope == "item" else images

    def task_rows(self, wildcards: Any) -> float:
        """Return the number of images or questions in a task."""
        dataset, task = wildcards.dataset, wildcards.task
        size, settings = self.size(dataset), self.config["datasets"][dataset]
        if scope_of(self.config, dataset, task) == "image":
            return size.images
        if task in size.tasks:
            return size.tasks[task]
        if isinstance(settings["splits"], dict) and "questions" in settings:
            return size.images * float(settings["questions"].get(task, 0))
        if settings["layout"] == "clevr":
            return size.items * TASK_SHARES.get(task, TASK_SHARE)
        return size.items

    def parameters(self, model: str) -> float:
        """Return a model's number of parameters."""
        return parts.parameters(model, self.specs[model])

    def blocks(self, model: str) -> int:
        """Return the number of blocks of the encoder and the language model."""
        spec = self.specs[model]
        counts = (spec.vision_blocks, spec.lm_blocks)
        return sum(BLOCKS if count is None else count for count in counts)

    def width(self, model: str) -> float:
        """Return an estimate of a model's width: a block has 12 matrices of width x width."""
        return math.sqrt(self.parameters(model) / (12 * self.blocks(model)))

    def columns(self, model: str) -> int:
        """Return the maximum number of activation columns: one per address and span."""
        return (self.blocks(model) + 2) * len(self.config["extraction"]["spans"])

    def stored_mb(self, model: str, rows: float) -> float:
        """Return the size of this many rows of activations, in MB."""
        value = 4 if self.config["extraction"]["dtype"] == "float32" else 2  # bytes
        return rows * self.columns(model) * self.width(model) * value / 1e6

    def weights_mb(self, model: str) -> float:
        """Return the size of a model's weights, in MB."""
        return self.parameters(model) * self._value_bytes(model) / 1e6

    def loaded_mb(self, model: str, batch: int) -> float:
        """Estimate the memory of the weights and a batch's activations and KV cache, in MB."""
        live = LIVE_TENSORS + 2 * self.blocks(model)
        token = live * self.width(model) * self._value_bytes(model) / 1e6
        return WEIGHT_COPIES * self.weights_mb(model) + batch * TOKENS * token

    def loading_seconds(self, model: str) -> float:
        """Return the estimated time to read a model's weights."""
        return self.weights_mb(model) / READ_MB_S

    def forward_seconds(self, model: str, gpus: int = 0) -> float:
        """Return the estimated time of one forward pass over one prompt."""
        speed = GPU_FLOPS if gpus else CPU_FLOPS * self.config["threads"]
        return 2 * self.parameters(model) * TOKENS / speed

    def gpus_needed(self, model: str) -> int:
        """Return the number of GPUs that a model's weights need; 0 if it is loaded on the CPU."""
        loading = self.loading(model)
        small = self.parameters(model) < GPU_FROM
        if loading["device"] == "cpu" or (loading["device"] == "auto" and small):
            return 0
        weights = self.weights_mb(model)
        if loading["bits"]:
            weights *= loading["bits"] / 8 / self._value_bytes(model)
        return max(1, math.ceil(weights / (GPU_SHARE * GPU_MB)))

    def loading(self, model: str) -> Config:
        """Return the loading settings of a model, with its own overrides."""
        loading = self.config["loading"]
        return {**loading, **loading["models"].get(model, {})}

    def _value_bytes(self, model: str) -> int:
        return VALUE_BYTES[self.loading(model)["dtype"] or self.specs[model].dtype]
