"""The recipe of each tiny model has only its own dependencies, so a new model changes no other."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.files import read_json
from eyechart.plan import training
from eyechart.tiny_models.install_weights import recipe_hash
from eyechart.tiny_models.pack_weights import STEPS

ROOT = Path(__file__).resolve().parents[2]
BEHIND = {
    "tiny_clip": {"contrastive"},
    "tiny_llava_aligned": {"contrastive", "language", "alignment"},
    "tiny_llava": {"contrastive", "language", "alignment", "instruction"},
    "tiny_dino": {"distillation"},
}


def changed(config: dict[str, Any], section: str, key: str, value: Any) -> dict[str, Any]:
    other = copy.deepcopy(config)
    other["tiny_models"]["recipe"][section][key] = value
    return other


def test_every_stage_belongs_to_one_model_and_has_a_section_and_a_step(
    config: dict[str, Any],
) -> None:
    stages = [stage for own in training.MODELS.values() for stage in own]
    assert sorted(stages) == sorted(training.STAGES) == sorted(STEPS)
    assert set(training.STAGES) <= set(config["tiny_models"]["recipe"])


@pytest.mark.parametrize("stage", training.STAGES)
def test_a_stage_changes_the_models_that_descend_from_it_and_no_other(
    config: dict[str, Any], stage: str
) -> None:
    other = changed(config, stage, "steps", 1)
    touched = {
        model
        for model in training.MODELS
        if training.model_recipe(other, model) != training.model_recipe(config, model)
    }
    assert touched == {model for model, stages in BEHIND.items() if stage in stages}
    assert [s for s in training.STAGES if _differs(config, other, s)] == [stage]


def test_shared_keys_change_every_model(config: dict[str, Any]) -> None:
    other = changed(config, "architecture", "patch_px", 8)
    for model in training.MODELS:
        assert training.model_recipe(other, model) != training.model_recipe(config, model)
    assert all(_differs(config, other, stage) for stage in training.STAGES)


def test_a_rule_gets_the_recipe_of_its_model(config: dict[str, Any]) -> None:
    give = training.recipe_of_model(config)
    for model in training.MODELS:
        wildcards = SimpleNamespace(model=model)
        assert give(wildcards) == training.model_recipe(config, model)


def test_shipped_weights_are_of_the_recipe_in_the_configuration(config: dict[str, Any]) -> None:
    for model, stages in BEHIND.items():
        note = read_json(ROOT / f"data/weights/{model}/packed.json")
        wanted = training.model_recipe(config, model)
        assert note["recipe"] == json.loads(wanted)
        assert note["recipe_hash"] == recipe_hash(wanted)
        assert set(note["code"]) == {STEPS[stage] for stage in stages}


def test_captions_belong_to_the_recipe_only_if_there_are_any(config: dict[str, Any]) -> None:
    assert config["datasets"][training.DATASET]["questions"]["caption"] == 0
    plain = training.model_recipe(config, "tiny_llava")
    assert "caption" not in json.loads(plain)["images"]["questions"]
    config["datasets"][training.DATASET]["questions"]["caption"] = 1
    assert json.loads(training.model_recipe(config, "tiny_llava"))["images"]["questions"] == {
        **json.loads(plain)["images"]["questions"],
        "caption": 1,
    }


def test_the_encoder_without_text_has_its_own_curve(config: dict[str, Any]) -> None:
    config["models"] = ["tiny_dino"]
    assert training.curves(config) == ["data/weights/tiny_dino/distillation.curve.parquet"]
    config["models"] = ["tiny_dino", "tiny_llava_aligned"]
    stages = [Path(path).name.split(".")[0] for path in training.curves(config)]
    assert stages == ["contrastive", "language", "alignment", "distillation"]


def _differs(config: dict[str, Any], other: dict[str, Any], stage: str) -> bool:
    return training.stage_recipe(config, stage) != training.stage_recipe(other, stage)
