"""The recipe of the tiny models: all that decides their weights, and where they are kept.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A function with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Callable
from typing import Any

from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical

STAGES = ("contrastive", "language", "alignment", "instruction", "distillation")
PICTURES = "clevr_pretrain"
# Of its section: what changes neither pictures nor questions
BESIDE = ("shards", "parts", "test_share", "tasks", "rendering")
# Per tiny model: the stages that come with it, of which the last makes it
MODELS = {
    "tiny_clip": ("contrastive",),
    "tiny_llava_aligned": ("language", "alignment"),
    "tiny_llava": ("instruction",),
    "tiny_dino": ("distillation",),
}
BUILT_ON = {"tiny_llava_aligned": "tiny_clip", "tiny_llava": "tiny_llava_aligned"}


def stage_recipe(config: Config, stage: str) -> str:
    """Give what one stage depends on, as canonical JSON: what all share, and its own section."""
    recipe = config["tiny_models"]["recipe"]
    shared = {key: value for key, value in recipe.items() if key not in STAGES}
    scenes = {**look(config, PICTURES), **recipe["text_scenes"]}
    return canonical(_stored({**shared, "text_scenes": scenes, stage: recipe[stage]}))


def model_recipe(config: Config, model: str) -> str:
    """Give everything that decides a model's weights, as canonical JSON.

    That is pictures, questions, what all stages share, and the stages that it descends from: a
    stage of another model leaves its shipped weights alone.
    """
    pictures = {k: v for k, v in config["datasets"][PICTURES].items() if k not in BESIDE}
    pictures["studio"] = look(config, PICTURES)
    others = set(STAGES) - {stage for name in lineage(model) for stage in MODELS[name]}
    recipe = {k: v for k, v in config["tiny_models"]["recipe"].items() if k not in others}
    return canonical(
        {
            "pictures": pictures,
            "training": {**_stored(recipe), "seed": config["tiny_models"]["seed"]},
        }
    )


def whole_recipe(config: Config) -> Callable[[Any], str]:
    """Give what gives everything that decides the weights of ``{model}``."""

    def give(wildcards: Any) -> str:
        return model_recipe(config, wildcards.model)

    return give


def lineage(model: str) -> list[str]:
    """Give the models that a tiny model is built on, oldest first, and itself."""
    return [*lineage(BUILT_ON[model]), model] if model in BUILT_ON else [model]


def look(config: Config, dataset: str) -> Config:
    """Give how the pictures of a drawn dataset look: ``rendering``, and what is its own."""
    shared, own = config["rendering"], config["datasets"][dataset].get("rendering", {})
    return {**shared, **own, "camera": {**shared["camera"], **own.get("camera", {})}}


def trained(wildcards: Any) -> str:
    """Give the trained model that ``{model}`` is packed from."""
    return paths.TRAINED.rule(stage=MODELS[wildcards.model][-1])


def trained_curves(wildcards: Any) -> list[str]:
    """Give the curves of the stages that come with ``{model}``."""
    return [paths.CURVE.rule(stage=stage) for stage in MODELS[wildcards.model]]


def packed(config: Config) -> str:
    """Return where the packed weights of ``{model}`` come from: shipped, or trained here."""
    return paths.SHIPPED.rule() if _shipped(config) else paths.PACKED.rule()


def curves(config: Config) -> list[str]:
    """Give the training curves behind the examined tiny models, in the order of the stages."""
    behind = {name for model in MODELS if model in config["models"] for name in lineage(model)}
    return [
        paths.SHIPPED_CURVE.rule(model=model, stage=stage)
        if _shipped(config)
        else paths.CURVE.rule(stage=stage)
        for model, stages in MODELS.items()
        if model in behind
        for stage in stages
    ]


def _stored(recipe: Config) -> Config:
    """Return a recipe with the key names that are stored beside the shipped weights."""
    return {"studio" if key == "text_scenes" else key: v for key, v in recipe.items()}


def _shipped(config: Config) -> bool:
    return bool(config["tiny_models"]["weights"] == "shipped")
