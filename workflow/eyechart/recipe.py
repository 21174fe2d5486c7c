"""The recipe of the tiny models: all that decides their weights, and where they are kept.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A function with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Callable
from typing import Any

from eyechart.configuration import Config, canonical

STAGES = ("contrastive", "language", "alignment", "instruction")
PICTURES = "clevr_pretrain"
# Per tiny model: the stages that come with it, the last of which makes it
MODELS = {
    "tiny_clip": ("contrastive",),
    "tiny_llava_aligned": ("language", "alignment"),
    "tiny_llava": ("instruction",),
}


def stage_recipe(config: Config, stage: str) -> str:
    """Give what one stage depends on, as canonical JSON: what all share, and its own section."""
    recipe = config["tiny"]["recipe"]
    shared = {key: value for key, value in recipe.items() if key not in STAGES}
    studio = {**config["datasets"][PICTURES]["studio"], **recipe["studio"]}
    return canonical({**shared, "studio": studio, stage: recipe[stage]})


def whole_recipe(config: Config) -> str:
    """Give everything that decides the weights, as canonical JSON: pictures, questions, stages."""
    pictures = {k: v for k, v in config["datasets"][PICTURES].items() if k != "shards"}
    training = {**config["tiny"]["recipe"], "seed": config["tiny"]["seed"]}
    return canonical({"pictures": pictures, "training": training})


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
    """Give the training curves of the weights in use, in the order of the stages."""
    if _shipped(config):
        return [
            f"data/weights/{model}/{stage}.curve.parquet"
            for model, stages in MODELS.items()
            for stage in stages
        ]
    return [f"results/training/{stage}/curve.parquet" for stage in STAGES]


def _shipped(config: Config) -> bool:
    return bool(config["tiny"]["weights"] == "shipped")
