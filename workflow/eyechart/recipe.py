"""The recipe of the tiny models: all that decides their weights, and where they are kept.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A function with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Callable
from typing import Any

from eyechart.configuration import Config, canonical

STAGES = ("contrastive", "language", "alignment", "instruction")
PICTURES = "clevr_pretrain"
# Per tiny model, each building on those before: the stages that come with it, the last makes it
MODELS = {
    "tiny_clip": ("contrastive",),
    "tiny_llava_aligned": ("language", "alignment"),
    "tiny_llava": ("instruction",),
}


def stage_recipe(config: Config, stage: str) -> str:
    """Give what one stage depends on, as canonical JSON: what all share, and its own section."""
    recipe = config["tiny"]["recipe"]
    shared = {key: value for key, value in recipe.items() if key not in STAGES}
    studio = {**look(config, PICTURES), **recipe["studio"]}
    return canonical({**shared, "studio": studio, stage: recipe[stage]})


def whole_recipe(config: Config) -> str:
    """Give everything that decides the weights, as canonical JSON: pictures, questions, stages."""
    pictures = {k: v for k, v in config["datasets"][PICTURES].items() if k != "shards"}
    pictures["studio"] = look(config, PICTURES)
    training = {**config["tiny"]["recipe"], "seed": config["tiny"]["seed"]}
    return canonical({"pictures": pictures, "training": training})


def look(config: Config, dataset: str) -> Config:
    """Give how the pictures of a drawn dataset look: ``studio``, and what is its own."""
    shared, own = config["studio"], config["datasets"][dataset].get("studio", {})
    return {**shared, **own, "camera": {**shared["camera"], **own.get("camera", {})}}


def trained(wildcards: Any) -> str:
    """Give the trained model that ``{model}`` is packed from."""
    return f"results/training/{MODELS[wildcards.model][-1]}/model/ready.json"


def trained_curves(wildcards: Any) -> list[str]:
    """Give the curves of the stages that come with ``{model}``."""
    return [f"results/training/{stage}/curve.parquet" for stage in MODELS[wildcards.model]]


def packed(config: Config) -> Callable[[Any], str]:
    """Give where the packed weights of ``{model}`` come from: shipped, or trained here."""
    home = "data/weights" if _shipped(config) else "results/training/packed"

    def give(wildcards: Any) -> str:
        return f"{home}/{wildcards.model}/packed.json"

    return give


def curves(config: Config) -> list[str]:
    """Give the training curves behind the examined tiny models, in the order of the stages."""
    found: list[str] = []
    built: list[str] = []
    for model, stages in MODELS.items():
        home = f"data/weights/{model}/{{}}.curve.parquet"
        pattern = home if _shipped(config) else "results/training/{}/curve.parquet"
        built += [pattern.format(stage) for stage in stages]
        found = list(built) if model in config["models"] else found
    return found


def _shipped(config: Config) -> bool:
    return bool(config["tiny"]["weights"] == "shipped")
