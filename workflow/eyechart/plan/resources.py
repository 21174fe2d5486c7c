"""Memory, time and GPUs requested by every job, from the sizes of its model and dataset.

Snakemake imports this module at parse time, so it must not import numpy or torch. Snakemake calls
every method with an argument ``wildcards`` once per job; ``attempt`` is 1, then 2 after a failure,
and so on. Memory is requested in MB, time in whole minutes.

Estimates are generous: a job that requests too much waits a little longer in the queue, but a job
that requests too little is killed and requests more on its retry. The comment of a measured
constant states its conditions; the other constants are arithmetic. Nothing here changes a result.
"""

import math
from collections.abc import Callable
from typing import Any

from eyechart.plan import parts
from eyechart.plan.behavior import BehaviorPlan, questions
from eyechart.plan.configuration import Config, by_region, scope_of
from eyechart.plan.mining_resources import MiningResources
from eyechart.plan.registry import layout_of
from eyechart.plan.sizes import (
    CPU_FLOPS,
    GPU_MB,
    GPU_PROBE_FLOPS,
    PROCESS_MB,
    READ_MB_S,
    grow,
    minutes,
)
from eyechart.plan.training import rendering_settings
from eyechart.tuning.registry import arms

SHARDS_MB = 500  # row groups being filled and written (measured: 314 MB)
AUTO_BATCH = 16  # batch size assumed for `auto`
CPUS_PER_GPU = 4  # one thread each for the model, image decoding and writing, plus one spare
CAPTIONS = 6  # captions per image; a pass over one takes about as long as one over the image
TRACED = (
    3  # cost, in forward passes, of a pass with attention weights and the lens at every address
)
READOUT_S = 0.25  # one item at one address (measured: 0.24 s for styles, 0.03 s for points)
IMAGE_S = 0.05  # time to decode, pool and write one image (measured: 0.013 s at 80 x 80)

TRAINED = 4  # memory of an item in a training step, relative to a forward pass
EDITS_OF_BLOCK = 60  # interventions per block of the language model, with their controls

ROW_MB = (
    0.008  # one question as Python objects (measured: 0.0037 MB including its share of a scene)
)
RAYS_S = 300_000  # renderer on one thread (measured: 350,000 to 600,000)
QUESTION_S = 0.001  # time to sample and write one question (measured: 0.0007 s)
FILE_S = 0.02  # time to hash one image and read its size

COLUMNS_MB = 2000  # train_probes.COLUMN_BYTES, read and converted, plus search.STACK_BYTES
# Passes over the examples of a fold, over all penalties (measured: 40 to 60 of the MLP, 100 to 200
# of the linear probe)
PASSES = {False: 300, True: 60}
TRAINING_FLOPS = 6  # per parameter and example: forward, and twice as much backward
SOLVER_BYTES = 104  # per parameter: the history and working memory of L-BFGS, as float32
ANSWERS_MB = 0.04  # the answers of one image to all questions, as Python objects
ANSWERING = 10000  # approximate number of images in two splits with known answers to all questions
CLASSES = 11  # classes of a probe; CLEVR's counts have this many

Resource = Callable[..., int]


def fixed(amount: float) -> Resource:
    """Return the resource of a rule with uniform jobs; it grows on a retry."""

    def resource(wildcards: Any, attempt: int) -> int:
        return grow(amount, attempt)

    return resource


class JobResources(MiningResources):
    """The resources of all jobs of a validated configuration."""

    # Datasets

    def scene_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to render one shard's images."""
        dataset = self._dataset(wildcards)
        rendering = rendering_settings(self.config, wildcards.dataset)
        images = math.ceil(dataset["splits"][wildcards.split] / dataset["shards"])
        rays = math.prod(rendering["image_px"]) * rendering["samples_per_pixel"]
        return minutes(images * rays / RAYS_S, attempt)

    def dataset_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of a step that holds all questions of a dataset."""
        images, items = self.rows(wildcards.dataset)
        answers = min(images, ANSWERING) * ANSWERS_MB
        return grow(PROCESS_MB / 4 + items * ROW_MB + answers, attempt)

    def dataset_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time of a step that processes every question and hashes every image."""
        images, items = self.rows(wildcards.dataset)
        return minutes(images * FILE_S + items * QUESTION_S, attempt)

    # Models

    def card_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of one forward pass over one image."""
        return grow(PROCESS_MB + self.loaded_mb(wildcards.model, batch=1), attempt)

    def card_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to load a model and run it once on a CPU."""
        model = wildcards.model
        return minutes(self.loading_seconds(model) + self.forward_seconds(model), attempt)

    def gpus(self, wildcards: Any) -> int:
        """Return the number of GPUs that a model is loaded on.

        It is 0 with ``device: cpu``, and 0 with ``auto`` for the smallest models, so that the
        demo's jobs run in parallel on any machine. Otherwise it is 1 or, if the model is spread, as
        many as its weights need.
        """
        needed = self.gpus_needed(wildcards.model)
        return needed if self.loading(wildcards.model)["spread"] else min(1, needed)

    def gpu_warnings(self, gpus: int | None) -> list[str]:
        """Return one sentence per model that needs more GPUs than its jobs would get."""
        found = []
        for model in self.config["models"]:
            needed, spread = self.gpus_needed(model), self.loading(model)["spread"]
            if needed > 1 and not spread:
                how = f"set spread: true, or bits: 4, under loading.models.{model}"
                found.append(f"{model} is too large for one GPU of {GPU_MB // 1000} GB; {how}")
            elif gpus is not None and needed > gpus:
                found.append(
                    f"{model} needs {needed} GPUs, and a job may have {gpus}; "
                    f"add --resources gpu={needed}"
                )
        return found

    def model_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the CPU memory of a job that runs a model over a dataset."""
        size = self.config["extraction"]["batch_size"]
        batch = size if isinstance(size, int) else AUTO_BATCH
        on_gpu = self.gpus(wildcards) > 0
        loaded = self.loaded_mb(wildcards.model, 0 if on_gpu else batch)
        return grow(PROCESS_MB + SHARDS_MB + loaded, attempt)

    def extraction_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to extract one part, without prefix sharing."""
        images, items = self.rows(wildcards.dataset)
        prompts = items if self.specs[wildcards.model].kind == "vlm" else images
        forward = self.forward_seconds(wildcards.model, self.gpus(wildcards)) * prompts
        return self._part_minutes(wildcards, images * IMAGE_S + forward, attempt, parts.EXTRACTION)

    def behavior_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time of one part's responses under all conditions, without prefix sharing.

        A language model processes each item once per order and choice, and once per generated
        token.
        """
        dataset, model = wildcards.dataset, wildcards.model
        size, how = self.size(dataset), questions(self.config, dataset)
        kind, asked = self.specs[model].kind, self.asked(dataset)
        passes = 1.0
        if kind == "vlm":
            orders = size.choices if how["orders"] == "all" else min(how["orders"], size.choices)
            texts = {"none": 0, "open": size.open / max(1, size.items), "all": 1}[how["greedy"]]
            passes = orders * size.choices + texts * how["greedy_tokens"]
        forward = self.forward_seconds(model, self.gpus(wildcards)) * passes
        conditions = len(BehaviorPlan(self.config, self.specs).conditions(kind))
        return self._part_minutes(wildcards, conditions * asked * (IMAGE_S + forward), attempt)

    def retrieval_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to embed all images and their captions."""
        images = self.size(wildcards.dataset).images
        forward = self.forward_seconds(wildcards.model, self.gpus(wildcards))
        work = images * (IMAGE_S + CAPTIONS * forward)
        return minutes(self.loading_seconds(wildcards.model) + work, attempt)

    def intervention_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to answer items under all edits, without prefix sharing."""
        model, section = wildcards.model, self.config["interventions"]
        tasks = max(1, len(self.config["datasets"][wildcards.dataset]["tasks"]))
        passes = EDITS_OF_BLOCK * (self.specs[model].lm_blocks or 1) * section["items"] * tasks
        forward = self.forward_seconds(model, self.gpus(wildcards)) * passes
        return minutes(self.loading_seconds(model) + forward, attempt)

    def saliency_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time of all maps and deletion curves; a backward pass counts as two passes."""
        section, model = self.config["saliency"], wildcards.model
        tasks = max(1, len(self.config["datasets"][wildcards.dataset]["tasks"]))
        methods = len(section["methods"])
        gradients = 3 * (section["steps"] + methods)
        deletions = section["points"] * (methods + 2 * section["random"])
        passes = (gradients + deletions) * section["items"] * tasks
        forward = self.forward_seconds(model, self.gpus(wildcards)) * passes
        return minutes(self.loading_seconds(model) + forward, attempt)

    def tuning_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the CPU memory to train an arm: each step keeps the activations of its blocks."""
        batch = 0 if self.gpus(wildcards) > 0 else TRAINED * self.config["tuning"]["batch_size"]
        return grow(PROCESS_MB + self.loaded_mb(wildcards.model, batch), attempt)

    def tuning_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time of all training runs of an arm, including the answers after each."""
        model, section = wildcards.model, self.config["tuning"]
        rates = max(map(len, section["learning_rates"].values()))
        trainings = section["folds"] * rates + section["seeds"] * (2 + section["shuffled"])
        trained = trainings * section["steps"] * section["batch_size"]
        passes = TRAINING_FLOPS / 2 * trained + 2 * trainings * section["training"]
        forward = self.forward_seconds(model, self.gpus(wildcards)) * passes
        return minutes(self.loading_seconds(model) + forward, attempt)

    def map_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to load a model for every training run and process a few items."""
        section, model = self.config["tuning"], wildcards.model
        trainings = 1 + section["seeds"] * len(arms(section))
        read = section["maps"] * (IMAGE_S + self.forward_seconds(model, self.gpus(wildcards)))
        return minutes(trainings * (self.loading_seconds(model) + read), attempt)

    def attention_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to trace one part's items: attention, and the lens at every address."""
        size = self.size(wildcards.dataset)
        tasks = len(size.tasks or layout_of(self.config, wildcards.dataset).item_tasks) or 1
        traced = min(size.items, self.config["attention"]["items"] * tasks)
        forward = self.forward_seconds(wildcards.model, self.gpus(wildcards))
        return self._part_minutes(wildcards, traced * (IMAGE_S + TRACED * forward), attempt)

    def readout_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to read all items out at every address."""
        items = self.size(wildcards.dataset).items
        return minutes(items * (self.blocks(wildcards.model) + 2) * READOUT_S, attempt)

    def _part_minutes(
        self, wildcards: Any, seconds: float, attempt: int, work: str = parts.ANSWERS
    ) -> int:
        """Return the time of one part, given a dataset's work in seconds with a loaded model."""
        share = seconds / parts.count(self.config, self.specs, wildcards, work)
        return minutes(self.loading_seconds(wildcards.model) + share, attempt)

    def _dataset(self, wildcards: Any) -> Config:
        found: Config = self.config["datasets"][wildcards.dataset]
        return found

    def manifest_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to hash all parts of one scope."""
        stored = self.stored_mb(wildcards.model, self.scope_rows(wildcards))
        return minutes(stored / READ_MB_S, attempt)

    # Probes

    def probing_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of one task's probes: the columns read, plus one column per fold."""
        column = self.task_rows(wildcards) * self.width(wildcards.model) * 4 / 1e6  # float32
        probing, folds = self.config["probing"], self.config["probing"]["folds"]
        parameters = self._question_types(wildcards) * CLASSES * self.width(wildcards.model)
        types = (1 + probing["seeds"]) * parameters * SOLVER_BYTES / 1e6
        return grow(PROCESS_MB / 4 + COLUMNS_MB + (1 + folds) * column + types, attempt)

    def probing_gpus(self, wildcards: Any) -> int:
        """Return the number of GPUs for one task's probes: 1, or 0 if trained on the CPU."""
        return 0 if self.config["probing"]["device"] == "cpu" else 1

    def probing_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time to train one task's probes at every address."""
        probing, width = self.config["probing"], self.width(wildcards.model)
        flops = 0.0
        for probe in probing["probes"].values():
            hidden = probe.get("hidden", 0)
            parameters = hidden * (width + CLASSES) if hidden else width * CLASSES
            flops += TRAINING_FLOPS * parameters * PASSES[hidden > 0]
        runs = self.columns(wildcards.model) * (probing["seeds"] + probing["folds"])
        linear = TRAINING_FLOPS * width * CLASSES * PASSES[False] * self._question_types(wildcards)
        images = min(self.rows(wildcards.dataset)[0], ANSWERING)
        work = runs * (flops * self.task_rows(wildcards) + linear * images)
        on_gpu = probing["device"] == "cuda"
        speed = GPU_PROBE_FLOPS if on_gpu else CPU_FLOPS * self.config["threads"]
        return minutes(work / speed, attempt)

    def _question_types(self, wildcards: Any) -> int:
        """Return the maximum number of question types of a task that are probed."""
        at = (self.config, wildcards.dataset, wildcards.task)
        asked = scope_of(*at) == "item" and not by_region(*at)
        return int(self.config["probing"]["question_types"]["most"]) if asked else 0
