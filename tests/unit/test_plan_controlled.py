"""The plan of controlled models: their parts, their recipe, and refusals before a run."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec, read_spec
from eyechart.plan import configuration
from eyechart.plan.config.root import with_defaults
from eyechart.plan.controlled import ControlledPlan

ROOT = Path(__file__).resolve().parents[2]
DATA = {
    "clevr": {"layout": "clevr", "source": "render", "splits": {"val": 8}},
    "scenes": {"layout": "clevr", "source": "render", "splits": {"train": 8, "val": 8}},
}


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Spec]:
    monkeypatch.chdir(ROOT)
    return configuration.read_specs()


def plan(specs: dict[str, Spec], **changes: Any) -> ControlledPlan:
    config = {"models": ["tiny_vlm_clip"], "datasets": copy.deepcopy(DATA)}
    config |= {"controlled": {"data": "scenes"}, **changes}
    return ControlledPlan(with_defaults(config), specs)


def of(model: str) -> SimpleNamespace:
    return SimpleNamespace(model=model)


def test_a_model_depends_on_its_encoders_and_its_vlm(specs: dict[str, Spec]) -> None:
    found = plan(specs)
    found.check()
    assert found.parts(of("tiny_mix_250")) == [
        f"data/models/{name}/ready.json"
        for name in ("tiny_clip", "tiny_dino", "tiny_llava_aligned")
    ]
    assert found.parts(of("tiny_supervised")) == []
    assert found.receipt(of("tiny_mix_250")) == "<raw>/scenes/acquired.json"


def test_two_recipes_differ_in_one_property_and_follow_their_own_settings(
    specs: dict[str, Spec],
) -> None:
    def recipe(model: str, **controlled: Any) -> dict[str, Any]:
        own = plan(specs, controlled={"data": "scenes", **controlled})
        found: dict[str, Any] = json.loads(own.recipe(of(model)))
        return found

    clip, dino = recipe("tiny_vlm_clip"), recipe("tiny_vlm_dino")
    assert {k for k in clip if clip[k] != dino[k]} == {"built"}
    assert {k for k in clip["built"] if clip["built"][k] != dino["built"][k]} == {"encoders"}
    mixed = recipe("tiny_mix_250")["built"]
    assert (mixed["mix"], mixed["share"], mixed["connector"]) == ("additive", 0.25, "mlp")
    assert recipe("tiny_vlm_clip", all={"steps": 5}) == clip
    assert recipe("tiny_vlm_clip", connector={"steps": 5})["stage"]["steps"] == 5
    assert recipe("tiny_vlm_clip_all", all={"steps": 5})["stage"]["steps"] == 5
    assert recipe("tiny_mix_250", connector_and_lm={"steps": 5})["stage"]["steps"] == 5
    assert "architecture" in recipe("tiny_supervised") and "architecture" not in clip


def test_models_of_a_curve_differ_only_in_encoders_and_learn_captions(
    specs: dict[str, Spec],
) -> None:
    preset = yaml.safe_load((ROOT / "config/presets/mixture.yaml").read_text(encoding="utf-8"))
    found = ControlledPlan(with_defaults(preset), specs)
    found.check()
    recipes = [json.loads(found.recipe(of(model))) for model in preset["models"]]
    for recipe in recipes:
        how = recipe.pop("built")
        assert how["trains"] == "connector_and_lm", "captions need a trained language model"
        assert (how["lm"], how["connector"]) == ("tiny_llava_aligned", "mlp")
    assert all(recipe == recipes[0] for recipe in recipes)
    asked = [found.config["datasets"][name]["questions"] for name in ("training_scenes", "clevr")]
    assert [counts["caption"] for counts in asked] == [1, 1]


def test_training_images_are_not_examined(specs: dict[str, Spec]) -> None:
    config = plan(specs).config
    assert config["datasets"]["scenes"]["tasks"] == []
    assert config["behavior"]["datasets"] == ["clevr"]
    assert "scenes" in plan(specs, controlled={}).config["behavior"]["datasets"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "controlled.data is null, expected the dataset that tiny_vlm_clip is trained on"),
        ("scene", r"controlled.data: unknown dataset 'scene'.*scenes"),
        ("clevr", "layout clevr and the splits val, expected clevr with train and val"),
    ],
)
def test_missing_training_data_is_refused(
    specs: dict[str, Spec], data: str | None, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        plan(specs, controlled={"data": data}).check()
    plan(specs, models=["tiny_clip"], controlled={}).check()  # no controlled model is examined


@pytest.mark.parametrize(
    ("built", "sentence"),
    [
        ("{encoders: [tiny_clip], trains: connector}", "1 encoders, lm None, trains 'connector'"),
        ("{encoders: [tiny_clip], lm: a, trains: labels}", "neither if an encoder is trained"),
        ("{encoders: [a, b], lm: c, trains: all}", "built.mix is None with 2 encoders"),
        ("{encoders: [a], lm: c, mix: additive, trains: all}", "built.mix is 'additive' with 1"),
        ("{encoders: [a], lm: c, trains: lm}", "'lm' is not one of .*'connector_and_lm'"),
        ("{encoders: [a], lm: c, trains: all, share: 2}", "built.share: 2 is greater than"),
        ("{encoders: [a], lm: c, trains: all, connectr: mlp}", "connectr"),
    ],
)
def test_parts_that_do_not_form_a_model_are_refused(
    tmp_path: Path, built: str, sentence: str
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        "family: mixture\nkind: vlm\ncheckpoint: data/models/m\nrevision: null\nlicence: MIT\n"
        f"vision_blocks: 4\nlm_blocks: 4\nbuilt: {built}\n"
    )
    with pytest.raises(UserError, match=sentence):
        read_spec(path)


def test_unknown_parts_and_other_language_models_are_refused(specs: dict[str, Spec]) -> None:
    one = specs["tiny_vlm_clip"]
    for change, sentence in (
        ({"encoders": ["tiny_clop"]}, "unknown model 'tiny_clop'"),
        ({"lm": "qwen2_vl_2b"}, "qwen2_vl_2b is of family qwen2_vl, expected llava"),
    ):
        wrong = replace(one, built={**(one.built or {}), **change})
        with pytest.raises(UserError, match=sentence):
            plan({**specs, "tiny_vlm_clip": wrong}).check()
