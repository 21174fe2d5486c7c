"""How much memory, time and GPU every job asks for, from the sizes of its model and dataset.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job; ``attempt`` is 1, then 2 after a
failure, and so on. Memory is asked for in MB, time in whole minutes.

These are estimates of a cluster's kind: too much waits a little longer in the queue, too little is
killed, and asks for more when it is tried again. Where a number was measured, it says on what; the
rest is arithmetic. Nothing here changes a result.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eyechart.models.spec import Spec
from eyechart.plan.configuration import Config, scope_of
from eyechart.plan.training import look

GROWTH = 1.5  # memory and time of an attempt, in those of the attempt before
START_MINUTES = 10  # what every job may take beside its work: a busy file system, imports
SLACK = 2  # time asked for, in the time reckoned

# A model in memory. Measured: the tiny models take 0.53 GB in all, of which Python, torch and
# transformers are 0.4 GB; 64 M parameters in float32 take 1.19 GB (bench/extraction.md).
PROCESS_MB = 2000  # Python, torch and, the larger part, the libraries of a GPU
SHARDS_MB = 500  # row groups being filled and written (measured: 314 MB)
WEIGHT_COPIES = 1.3  # of the weights: a file of them is read beside the model
VALUE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
PARAMETERS = {"vlm": 8e9, "encoder": 1e9}  # where neither the spec nor a name says it
BLOCKS = 32  # where the spec does not say it: LLaMA 7B's
TOKENS = 1000  # of one prompt with its picture: LLaVA 1.5 has 576 image tokens, tiles up to 2880
LIVE_TENSORS = 16  # of a token in one block, each as wide as the model
AUTO_BATCH = 16  # what a batch size that is no number is reckoned as

# A model on a device
GPU_FROM = 10e6  # parameters; below, a CPU is as quick as reading the pictures (measured at 1.7 M)
GPU_MB = 80_000  # of one GPU, for what is too large for one
GPU_SHARE = 0.8  # of a GPU's memory, for weights
CPUS_PER_GPU = 4  # the model's thread, one that decodes pictures, one that writes, one to spare
GPU_FLOPS = 5e13  # sixth part of an A100's 312e12 in bfloat16
# Of one thread; measured on a 2.5 GHz Xeon with AVX-512: 8.8e10 in a forward pass, 2.8e10 to 4.4e10
# in training probes on 128 to 4,096 features
CPU_FLOPS = 3e10
READ_MB_S = 200  # weights and shards over a shared file system
PICTURE_S = 0.05  # decoding, pooling and writing one picture (measured: 0.013 s at 80 x 80)

# Datasets
OFFICIAL = {  # pictures and questions per split that is released, not drawn
    "clevr": {"train": (70_000, 699_989), "val": (15_000, 149_991), "test": (15_000, 149_988)}
}
UNKNOWN = (100_000, 1_000_000)  # of a split that is not in the table
ROW_MB = 0.008  # one question as Python objects (measured: 0.0037 MB with its share of a scene)
RAYS_S = 300_000  # of the renderer on one thread (measured: 350,000 to 600,000)
QUESTION_S = 0.001  # asking and writing one question (measured: 0.0007 s)
FILE_S = 0.02  # hashing one picture, and reading its size

# Probes
COLUMNS_MB = 2000  # train_probes.COLUMN_BYTES, read and converted, and search.STACK_BYTES
# Share of a released dataset's questions that a task has (Johnson et al. 2017, question types: a
# quarter counts, two fifths are answered by yes or no), and any other (of CLEVR's val shape has
# 13,273 of 149,991)
TASK_SHARES = {"number": 0.24, "boolean": 0.41}
TASK_SHARE = 0.09
STEPS_SEEN = 100  # of L-BFGS, until it converges
EPOCHS_SEEN = (
    8  # of each fold (bench/probing.md: 2 to 4 and patience), with the last training's share
)
TRAINING_FLOPS = 6  # per parameter and example: forward, and twice that backward
CLASSES = 11  # of a probe; CLEVR's numbers have as many

_NAMED = re.compile(r"(?<![0-9a-z.])(\d+(?:\.\d+)?)([bm])(?![0-9a-z])")

Resource = Callable[..., int]


def grow(amount: float, attempt: int) -> int:
    """Give an amount, rounded up, as an attempt asks for it."""
    return math.ceil(amount * GROWTH ** (attempt - 1))


def fixed(amount: float) -> Resource:
    """Give the resource of a rule whose jobs are all alike: so much, and more at a retry."""

    def give(wildcards: Any, attempt: int) -> int:
        return grow(amount, attempt)

    return give


@dataclass(frozen=True)
class JobResources:
    """The resources of all jobs of a checked configuration."""

    config: Config
    specs: dict[str, Spec]

    # Datasets

    def drawing_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time that one shard's pictures take."""
        dataset = self.config["datasets"][wildcards.dataset]
        rendering = look(self.config, wildcards.dataset)
        pictures = math.ceil(dataset["splits"][wildcards.split] / dataset["shards"])
        rays = math.prod(rendering["image_px"]) * rendering["samples_per_pixel"]
        return _minutes(pictures * rays / RAYS_S, attempt)

    def rows_mb(self, wildcards: Any, attempt: int) -> int:
        """Give the memory of a step that holds all questions of a dataset."""
        _, questions = self.rows(wildcards.dataset)
        return grow(PROCESS_MB / 4 + questions * ROW_MB, attempt)

    def rows_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time of a step that handles every question and hashes every picture."""
        pictures, questions = self.rows(wildcards.dataset)
        return _minutes(pictures * FILE_S + questions * QUESTION_S, attempt)

    # Models

    def describing_mb(self, wildcards: Any, attempt: int) -> int:
        """Give the memory of one forward pass over one picture."""
        return grow(PROCESS_MB + self._loaded_mb(wildcards.model, batch=1), attempt)

    def describing_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time of loading a model and running it once, on a CPU."""
        model = wildcards.model
        return _minutes(self._loading_s(model) + self._reading_s(model), attempt)

    def gpus(self, wildcards: Any) -> int:
        """Give the GPUs that a model is loaded on.

        None with ``device: cpu``. With ``auto`` none for the smallest models, so that the demo's
        run beside each other on any machine; else one, or as many as hold a model that is spread.
        """
        loading, needed = self._loading(wildcards.model), self._gpus(wildcards.model)
        return needed if loading["spread"] else min(1, needed)

    def beyond(self, gpus: int | None) -> list[str]:
        """Give a sentence for each examined model that needs more GPUs than it would be given."""
        found = []
        for model in self.config["models"]:
            needed, spread = self._gpus(model), self._loading(model)["spread"]
            if needed > 1 and not spread:
                how = f"set spread: true, or bits: 4, under loading.models.{model}"
                found.append(f"{model} is too large for one GPU of {GPU_MB // 1000} GB; {how}")
            elif gpus is not None and needed > gpus:
                found.append(
                    f"{model} needs {needed} GPUs, and a job may have {gpus}; "
                    f"add --resources gpu={needed}"
                )
        return found

    def extracting_mb(self, wildcards: Any, attempt: int) -> int:
        """Give the memory, not of the GPU, of extracting one part of a dataset."""
        asked = self.config["extraction"]["batch_size"]
        batch = asked if isinstance(asked, int) else AUTO_BATCH
        on_gpu = self.gpus(wildcards) > 0
        loaded = self._loaded_mb(wildcards.model, 0 if on_gpu else batch)
        return grow(PROCESS_MB + SHARDS_MB + loaded, attempt)

    def extracting_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time of extracting one part, every prompt read whole."""
        parts = self.config["datasets"][wildcards.dataset]["parts"]
        pictures, questions = self.rows(wildcards.dataset)
        prompts = questions if self.specs[wildcards.model].kind == "vlm" else pictures
        reading = self._reading_s(wildcards.model, self.gpus(wildcards)) * prompts
        seconds = self._loading_s(wildcards.model) + (pictures * PICTURE_S + reading) / parts
        return _minutes(seconds, attempt)

    def answering_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time of asking everything under every condition, every prompt read whole."""
        pictures, questions = self.rows(wildcards.dataset)
        conditions = len(self.config["behavior"]["conditions"])
        reading = self._reading_s(wildcards.model, self.gpus(wildcards)) * questions
        work = conditions * (pictures * PICTURE_S + reading)
        return _minutes(self._loading_s(wildcards.model) + work, attempt)

    # MiningPlan

    def mining_mb(self, wildcards: Any, attempt: int) -> int:
        """Give the memory of two encoders' vectors of all pictures, and two blocks of cosines."""
        pictures, _ = self.rows(wildcards.dataset)
        widths = self._width(wildcards.first) + self._width(wildcards.second)
        block = self.config["mining"]["block"]
        return grow(PROCESS_MB / 4 + (2 * pictures * widths + 4 * block**2) * 4 / 1e6, attempt)

    def mining_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time of comparing every picture with every other, to both encoders."""
        pictures, _ = self.rows(wildcards.dataset)
        widths = self._width(wildcards.first) + self._width(wildcards.second)
        return _minutes(pictures**2 * widths / CPU_FLOPS, attempt)

    def closing_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time of hashing all parts of one scope."""
        value = 4 if self.config["extraction"]["dtype"] == "float32" else 2  # bytes
        stored = self._scope_rows(wildcards) * self._columns(wildcards.model)
        megabytes = stored * self._width(wildcards.model) * value / 1e6
        return _minutes(megabytes / READ_MB_S, attempt)

    # Probes

    def probing_mb(self, wildcards: Any, attempt: int) -> int:
        """Give the memory of one task's probes: columns read, and one column once per fold."""
        column = self._task_rows(wildcards) * self._width(wildcards.model) * 4 / 1e6  # float32
        folds = self.config["probing"]["folds"]
        return grow(PROCESS_MB / 4 + COLUMNS_MB + (1 + folds) * column, attempt)

    def probing_gpus(self, wildcards: Any) -> int:
        """Return how many GPUs one task's probes need: one, unless they are trained on the CPU."""
        return 0 if self.config["probing"]["device"] == "cpu" else 1

    def probing_minutes(self, wildcards: Any, attempt: int) -> int:
        """Give the time of training one task's probes at every address."""
        probing, width = self.config["probing"], self._width(wildcards.model)
        flops = 0.0
        for probe in probing["probes"].values():
            hidden = probe.get("hidden", 0)
            parameters = hidden * (width + CLASSES) if hidden else width * CLASSES
            if "penalties" in probe:  # a step of L-BFGS passes over all examples, as an epoch does
                grid, epochs = len(probe["penalties"]), min(STEPS_SEEN, probe["steps"])
            else:
                grid = len(probe["learning_rates"]) * len(probe["weight_decays"])
                epochs = min(EPOCHS_SEEN, probe["epochs"][-1])
            flops += TRAINING_FLOPS * parameters * epochs * grid
        runs = self._columns(wildcards.model) * probing["seeds"] * probing["folds"]
        work = flops * runs * self._task_rows(wildcards)
        return _minutes(work / (CPU_FLOPS * self.config["threads"]), attempt)

    # What the estimates stand on

    def rows(self, dataset: str) -> tuple[int, int]:
        """Give how many pictures and questions a dataset has."""
        settings = self.config["datasets"][dataset]
        splits = settings["splits"]
        if isinstance(splits, dict):
            pictures = sum(splits.values())
            return pictures, pictures * sum(settings.get("questions", {}).values())
        known = OFFICIAL.get(settings["layout"], {})
        counts = [known.get(split, UNKNOWN) for split in splits]
        return sum(c[0] for c in counts), sum(c[1] for c in counts)

    def parameters(self, model: str) -> float:
        """Give a model's parameters: as its spec says, else the ``7b`` of a name, else a guess.

        Example
        -------
        ``parameters: null`` and the checkpoint ``owner/some-vlm-2.7b``: 2.7e9.
        """
        spec = self.specs[model]
        if spec.parameters:
            return spec.parameters
        for name in (spec.checkpoint, model):
            if match := _NAMED.search(name.lower()):
                return float(match[1]) * {"b": 1e9, "m": 1e6}[match[2]]
        return PARAMETERS[spec.kind]

    def _loading(self, model: str) -> Config:
        """Give how a model is loaded, what is its own included."""
        loading = self.config["loading"]
        return {**loading, **loading["models"].get(model, {})}

    def _value_bytes(self, model: str) -> int:
        return VALUE_BYTES[self._loading(model)["dtype"] or self.specs[model].dtype]

    def _weights_mb(self, model: str) -> float:
        return self.parameters(model) * self._value_bytes(model) / 1e6

    def _gpus(self, model: str) -> int:
        """Give the GPUs that hold a model's weights, none where it is loaded on none."""
        loading = self._loading(model)
        small = self.parameters(model) < GPU_FROM
        if loading["device"] == "cpu" or (loading["device"] == "auto" and small):
            return 0
        weights = self._weights_mb(model)
        if loading["bits"]:
            weights *= loading["bits"] / 8 / self._value_bytes(model)
        return max(1, math.ceil(weights / (GPU_SHARE * GPU_MB)))

    def _blocks(self, model: str) -> int:
        spec = self.specs[model]
        counts = (spec.vision_blocks, spec.lm_blocks)
        return sum(BLOCKS if count is None else count for count in counts)

    def _width(self, model: str) -> float:
        """Give about how wide a model is: a block has 12 matrices of width x width."""
        return math.sqrt(self.parameters(model) / (12 * self._blocks(model)))

    def _columns(self, model: str) -> int:
        """Give the columns of activations at most: every block, connector and norm, every span."""
        return (self._blocks(model) + 2) * len(self.config["extraction"]["spans"])

    def _loaded_mb(self, model: str, batch: int) -> float:
        """Give the memory of weights and, per token of a batch, a block and all keys and values."""
        live = LIVE_TENSORS + 2 * self._blocks(model)
        token = live * self._width(model) * self._value_bytes(model) / 1e6
        return WEIGHT_COPIES * self._weights_mb(model) + batch * TOKENS * token

    def _loading_s(self, model: str) -> float:
        return self._weights_mb(model) / READ_MB_S

    def _reading_s(self, model: str, gpus: int = 0) -> float:
        """Give the seconds of one forward pass over one prompt."""
        speed = GPU_FLOPS if gpus else CPU_FLOPS * self.config["threads"]
        return 2 * self.parameters(model) * TOKENS / speed

    def _scope_rows(self, wildcards: Any) -> int:
        pictures, questions = self.rows(wildcards.dataset)
        return questions if wildcards.scope == "item" else pictures

    def _task_rows(self, wildcards: Any) -> float:
        """Give how many pictures or questions a task is asked of."""
        dataset, task = wildcards.dataset, wildcards.task
        pictures, questions = self.rows(dataset)
        if scope_of(self.config, dataset, task) == "image":
            return pictures
        drawn = self.config["datasets"][dataset].get("questions", {})
        if isinstance(self.config["datasets"][dataset]["splits"], dict):
            return pictures * drawn.get(task, 0)
        return questions * TASK_SHARES.get(task, TASK_SHARE)


def _minutes(seconds: float, attempt: int) -> int:
    return grow(START_MINUTES + SLACK * seconds / 60, attempt)
