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
    """Learning rates of AdamW, of which folds choose one; constant after a tenth of the steps."""

    prompt: Rates = setting([0.02, 0.1], "of embeddings")
    lora: Rates = setting(
        [0.0015, 0.006], "of adapters; those of an encoder often need the smaller one"
    )


class TuningSettings(Section):
    """What has to learn for a model to answer a task: docs/tuning.md."""

    tasks: TasksOf = setting(
        {}, "by dataset, tasks that models are tuned on: `{clevr: [color]}`; asked as by `behavior`"
    )
    models: Names | None = setting(None, "models that are tuned; null: all with a language model")
    others: Names = setting(
        [], "more datasets whose items show what is forgotten, besides the other tasks of a dataset"
    )
    arms: Annotated[list[Arm], Field(min_length=1), Unique, UNIQUE] = setting(
        ["prompt", "lora_vision", "lora_connector", "lora_lm"],
        "what learns: embeddings between image and text, or adapters of one component",
    )
    prompts: Annotated[list[Few], Field(min_length=1), Unique, UNIQUE] = setting(
        [1, 5, 10], "numbers of embeddings, each an arm of its own: `prompt_5`"
    )
    rank: Few = setting(
        4,
        "rank of the adapters (LoRA) of the part with the most parameters per rank; the others get "
        "as many parameters, within 2 %, if need be with the nearest rank for which that works",
    )
    shuffled: bool = setting(
        True,
        "train with permuted answers, too, as a second control; white images are always one: gains "
        "are over these",
    )
    seeds: Few = setting(1, "trainings of each kind")
    items: Count = setting(200, "items of each task that are tested, from the test groups")
    attended: Natural = setting(
        40, "of these, items whose attention to the region that they are about is measured"
    )
    maps: Natural = setting(
        2, "test items of each task whose change of attention by tuning is drawn on the image"
    )
    training: Count = setting(1000, "items that are trained on, from the training groups")
    steps: Count = setting(200, "most steps of training")
    folds: Folds = setting(
        2, "grouped folds of the training items, which choose the number of steps and the rate"
    )
    eval_every: Count = setting(
        20, "steps between held-out losses, at which training may end, and between checkpoints"
    )
    batch_size: Size = setting(16, "items in one step")
    learning_rates: LearningRates = nested("learning rates")
    gradient_checkpointing: bool = setting(
        False, "compute activations of blocks twice, to save memory"
    )
    alpha: OpenShare = setting(0.01, "level at which a task is called adaptable at a part")
