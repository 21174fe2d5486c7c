"""The section `tuning`."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import (
    UNIQUE,
    Count,
    Few,
    Folds,
    Names,
    Natural,
    OpenShare,
    Rate,
    Section,
    Size,
    TasksOf,
    Unique,
    nested,
    setting,
)

Rates = Annotated[list[Rate], Field(min_length=1), Unique, UNIQUE]
Arm = Literal["prompt", "lora_vision", "lora_connector", "lora_lm"]


class LearningRates(Section):
    """Learning rates of AdamW, chosen by folds; constant after a tenth of the steps."""

    prompt: Rates = setting([0.02, 0.1], "rates for embeddings")
    lora: Rates = setting(
        [0.0015, 0.006], "rates for adapters; adapters of an encoder often need the smaller one"
    )


class TuningSettings(Section):
    """Which component has to learn for a model to answer a task: docs/tuning.md."""

    tasks: TasksOf = setting(
        {}, "by dataset, tasks to tune models on: `{clevr: [color]}`; prompted as under `behavior`"
    )
    models: Names | None = setting(None, "models to tune; null: all with a language model")
    others: Names = setting(
        [],
        "additional datasets with items that show forgetting, in addition to other tasks of the "
        "tuned dataset",
    )
    arms: Annotated[list[Arm], Field(min_length=1), Unique, UNIQUE] = setting(
        ["prompt", "lora_vision", "lora_connector", "lora_lm"],
        "trained parts: embeddings between image and text, or adapters of one component",
    )
    prompts: Annotated[list[Few], Field(min_length=1), Unique, UNIQUE] = setting(
        [1, 5, 10], "numbers of embeddings, each a separate arm: `prompt_5`"
    )
    rank: Few = setting(
        4,
        "rank of the adapters (LoRA) of the part with the most parameters per rank; the others get "
        "the same number of parameters, within 2%, with the nearest rank that allows this",
    )
    shuffled: bool = setting(
        True,
        "also train with permuted answers, as a second control; white images are always a control. "
        "Gains are relative to controls",
    )
    seeds: Few = setting(1, "training runs of each kind")
    items: Count = setting(200, "test items per task, from the test groups")
    attended: Natural = setting(40, "number of these items with measured attention to their region")
    maps: Natural = setting(2, "test items per task with an image of how tuning changes attention")
    training: Count = setting(1000, "training items, from the training groups")
    steps: Count = setting(200, "maximum number of training steps")
    folds: Folds = setting(
        2,
        "grouped folds of the training items, which select the number of steps and the learning "
        "rate",
    )
    eval_every: Count = setting(
        20,
        "steps between evaluations of the held-out loss, where training may end, and between "
        "checkpoints",
    )
    batch_size: Size = setting(16, "items per step")
    learning_rates: LearningRates = nested("learning rates")
    gradient_checkpointing: bool = setting(
        False, "recompute activations of blocks to save memory (gradient checkpointing)"
    )
    alpha: OpenShare = setting(
        0.01, "significance level at which a task counts as adaptable at a part"
    )
