"""The recipe of the tiny models, which determines their weights, and the paths of their files.

Snakemake imports this module at parse time, so it must not import numpy or torch. Snakemake calls
every function with an argument ``wildcards`` once per job.
"""

from collections.abc import Callable
from typing import Any

from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical

STAGES = ("contrastive", "language", "alignment", "instruction", "distillation")
DATASET = "clevr_pretrain"
# Keys of its section that are replaced, or that change neither images nor questions
NOT_IN_RECIPE = ("shards", "parts", "test_share", "tasks", "rendering")
# The stages of each model; the last one produces the model
MODELS = {
    "tiny_clip": ("contrastive",),
    "tiny_llava_aligned": ("language", "alignment"),
    "tiny_llava": ("instruction",),
    "tiny_dino": ("distillation",),
}
BUILT_ON = {"tiny_llava_aligned": "tiny_clip", "tiny_llava": "tiny_llava_aligned"}


def stage_recipe(config: Config, stage: str) -> str:
    """Return the settings of one stage, as canonical JSON: the shared keys and its own section."""
    recipe = config["tiny_models"]["recipe"]
    shared = {key: value for key, value in recipe.items() if key not in STAGES}
    scenes = {**rendering_settings(config, DATASET), **recipe["text_scenes"]}
    return canonical({**shared, "text_scenes": scenes, stage: recipe[stage]})


def model_recipe(config: Config, model: str) -> str:
    """Return everything that determines a model's weights, as canonical JSON.

    These are images, questions, the keys shared by all stages, and the settings of its stages. A
    change to any other stage does not invalidate its shipped weights.
    """
    images = {k: v for k, v in config["datasets"][DATASET].items() if k not in NOT_IN_RECIPE}
    images["rendering"] = rendering_settings(config, DATASET)
    # 0 questions of a task give the same recipe as before the task existed
    images["questions"] = {task: n for task, n in images["questions"].items() if n}
    others = set(STAGES) - {stage for name in lineage(model) for stage in MODELS[name]}
    recipe = {k: v for k, v in config["tiny_models"]["recipe"].items() if k not in others}
    return canonical(
        {"images": images, "training": {**recipe, "seed": config["tiny_models"]["seed"]}}
    )


def recipe_of_model(config: Config) -> Callable[[Any], str]:
    """Return an input function for the full training recipe of the wildcard ``model``."""

    def recipe(wildcards: Any) -> str:
        return model_recipe(config, wildcards.model)

    return recipe


def lineage(model: str) -> list[str]:
    """Return the models that a tiny model builds on, oldest first, followed by the model itself."""
    return [*lineage(BUILT_ON[model]), model] if model in BUILT_ON else [model]


def rendering_settings(config: Config, dataset: str) -> Config:
    """Return the rendering settings of a dataset: the section ``rendering`` with its overrides."""
    shared, own = config["rendering"], config["datasets"][dataset].get("rendering", {})
    return {**shared, **own, "camera": {**shared["camera"], **own.get("camera", {})}}


def trained_model(wildcards: Any) -> str:
    """Return the trained model from which the wildcard ``model`` is packed."""
    return paths.TRAINED.rule(stage=MODELS[wildcards.model][-1])


def trained_curves(wildcards: Any) -> list[str]:
    """Return the curves of the stages that belong to the wildcard ``model``."""
    return [paths.CURVE.rule(stage=stage) for stage in MODELS[wildcards.model]]


def packed_weights(config: Config) -> str:
    """Return the packed weights of the wildcard ``model``, shipped or trained in this run."""
    return paths.SHIPPED.rule() if _shipped(config) else paths.PACKED.rule()


def curves(config: Config) -> list[str]:
    """Return the training curves of the tiny models under ``models``, in stage order."""
    behind = {name for model in MODELS if model in config["models"] for name in lineage(model)}
    return [
        paths.SHIPPED_CURVE.rule(model=model, stage=stage)
        if _shipped(config)
        else paths.CURVE.rule(stage=stage)
        for model, stages in MODELS.items()
        if model in behind
        for stage in stages
    ]


def _shipped(config: Config) -> bool:
    return bool(config["tiny_models"]["weights"] == "shipped")
