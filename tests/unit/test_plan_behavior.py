"""The plan of answers and mining: the items of each model, and minimal slices of the config."""

import copy
import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.data.layouts.mmvp.tasks import PATTERNS
from eyechart.models.families.two_towers import TwoTowers
from eyechart.models.load import module_of
from eyechart.models.spec import TWO_TOWERS, families
from eyechart.plan import configuration, targets
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.mining import MiningPlan
from eyechart.plan.registry import LAYOUTS
from eyechart.plan.workflow import WorkflowPlan
from eyechart.rendering.datasets.mmvp import patterns

ROOT = Path(__file__).resolve().parents[2]
VLM = SimpleNamespace(model="tiny_llava", dataset="mmvp")
CLIP = SimpleNamespace(model="tiny_clip", dataset="mmvp_vlm")


def behavior(config: dict[str, Any], **changes: Any) -> BehaviorPlan:
    changed = copy.deepcopy(config)
    changed["behavior"].update(changes)
    return BehaviorPlan(changed, configuration.read_specs())


def test_statements_about_two_images_are_for_encoders_only(config: dict[str, Any]) -> None:
    found = behavior(config)
    assert found.can_answer("tiny_clip", "mmvp_vlm")
    assert found.can_answer("tiny_clip", "mmvp")
    assert found.can_answer("tiny_llava", "mmvp")
    assert not found.can_answer("tiny_llava", "mmvp_vlm")
    assert not found.can_answer("dinov2_small", "mmvp")  # it reads no text
    assert found.can_answer("siglip_base", "mmvp_vlm")


@pytest.mark.parametrize(
    ("saved", "asked"),
    [
        ({"architectures": ["CLIPVisionModelWithProjection"]}, False),
        ({"architectures": ["CLIPVisionModel"], "model_type": "clip_vision_model"}, False),
        ({"architectures": ["SiglipVisionModel"]}, False),
        ({"model_type": "siglip_vision_model"}, False),
        ({"architectures": None, "model_type": "clip_vision_model"}, False),
        ({"architectures": ["CLIPModel"], "model_type": "clip"}, True),
        ({"model_type": "siglip"}, True),
        ([], True),  # loading it reports what is wrong
    ],
)
def test_a_folder_with_only_an_image_tower_answers_nothing_and_is_reported_once(
    saved: Any, asked: bool, config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(saved))
    config["models"] = ["siglip_base", "tiny_llava", "dinov2_small"]
    config["checkpoints"] = {"siglip_base": str(tmp_path)}
    plan = BehaviorPlan(config, configuration.read_specs(config["checkpoints"]))
    assert plan.can_answer("siglip_base", "mmvp") == asked
    assert plan.unasked_warnings() == [
        "dinov2_small has no text tower, so it answers no questions; everything else is examined"
        if asked
        else "siglip_base, dinov2_small have no text tower, so they answer no questions; "
        "everything else is examined"
    ]
    tasks = configuration.tasks_for(config, plan.specs, "siglip_base", "clevr")
    assert "has_red" in tasks  # it is still probed
    assert BehaviorPlan(config, configuration.read_specs()).can_answer("siglip_base", "mmvp")


def test_a_spec_can_state_that_there_is_no_text_tower(config: dict[str, Any]) -> None:
    plan = behavior(config)
    assert not plan.can_answer("clip_vit_b16_vision", "mmvp")
    with pytest.raises(UserError, match="clip_vit_b16_vision has no text tower, so it cannot"):
        target = "results/behavior/scores/clip_vit_b16_vision/mmvp.parquet"
        targets.check(plan.config, plan.specs, [target])


def test_the_list_of_two_tower_families_is_correct() -> None:
    modules = {name: importlib.import_module(module_of(name)) for name in families()}
    found = {name for name, module in modules.items() if issubclass(module.FAMILY, TwoTowers)}
    assert found == set(TWO_TOWERS)


def test_a_model_depends_only_on_what_its_kind_reads(config: dict[str, Any]) -> None:
    base = behavior(config)
    prompted = behavior(config, prompt="Q: {question}")
    stated = behavior(config, statement="{choice}")
    assert prompted.response_settings(VLM) != base.response_settings(VLM)
    assert prompted.response_settings(CLIP) == base.response_settings(CLIP)
    assert stated.response_settings(VLM) == base.response_settings(VLM)
    assert stated.response_settings(CLIP) != base.response_settings(CLIP)
    assert behavior(config, bootstrap=999).response_settings(VLM) == base.response_settings(VLM)


def test_a_datasets_overrides_apply_only_to_it(config: dict[str, Any]) -> None:
    found = behavior(config, by_dataset={"mmvp": {"orders": "all"}})
    assert json.loads(found.response_settings(VLM))["orders"] == "all"
    elsewhere = SimpleNamespace(model="tiny_llava", dataset="clevr")
    assert found.response_settings(elsewhere) == behavior(config).response_settings(elsewhere)


def test_letters_are_scored_if_the_prompt_shows_them_and_otherwise_the_mean(
    config: dict[str, Any],
) -> None:
    def scoring(**changes: Any) -> str:
        return json.loads(behavior(config, **changes).response_settings(VLM))["scoring"]

    lettered = {"prompt": "{question} {options}"}
    assert scoring() == "mean"
    assert scoring(**lettered) == scoring(by_dataset={"mmvp": lettered}) == "letter"
    assert scoring(**lettered, scoring="pmi") == "pmi"
    assert json.loads(behavior(config, **lettered).response_settings(CLIP))["scoring"] == "mean"
    with pytest.raises(UserError, match=r"letter', but the prompt of 'mmvp' is '\{question\}'"):
        behavior(config, by_dataset={"mmvp": {"scoring": "letter"}}).check()


def test_conditions_keep_table_order_and_encoders_always_get_an_image(
    config: dict[str, Any],
) -> None:
    found = behavior(config, conditions=["no_image", "blank", "sighted"])
    assert found.conditions("vlm") == ["sighted", "blank", "no_image"]
    assert found.conditions("encoder") == ["sighted", "blank"]


def test_the_page_of_a_vlm_covers_its_encoder(config: dict[str, Any]) -> None:
    found = behavior(config)
    assert found.pattern_runs("tiny_llava") == [("tiny_llava", "mmvp"), ("tiny_clip", "mmvp_vlm")]
    assert found.pattern_runs("tiny_clip") == [("tiny_clip", "mmvp_vlm")]
    asked = ("tiny_clip", "tiny_llava_aligned", "tiny_llava")
    assert found.pattern_pages() == [f"<results>/behavior/patterns/{model}.html" for model in asked]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"datasets": ["mvp"]}, "behavior.datasets: unknown dataset 'mvp'; did you mean 'mmvp'?"),
        ({"by_dataset": {"mvp": {}}}, "behavior.by_dataset: unknown dataset 'mvp'"),
    ],
)
def test_a_dataset_without_questions_is_reported(
    config: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        behavior(config, **changes).check()
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("results/behavior/patterns/dinov2_small.html", "dinov2_small has no text tower"),
        ("results/behavior/patterns/tiny_lava.html", "did you mean 'tiny_llava'?"),
        ("results/behavior/responses/tiny_llava/mmvp_vlm/sighted.parquet", "for encoders only"),
        ("results/behavior/scores/tiny_llava/mvp.parquet", "did you mean 'mmvp'?"),
        ("results/mining/tiny_clip_against_tiny_dina/clevr/sheet.html", "unknown model"),
    ],
)
def test_an_impossible_target_gives_a_reason(
    config: dict[str, Any], target: str, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        targets.check(config, configuration.read_specs(), [target])
    assert expected in str(caught.value)


def test_targets_that_can_be_made_pass(config: dict[str, Any]) -> None:
    found = behavior(config)
    paths = [*found.pattern_pages(), *found.scores(), *found.all_responses(), *found.retrieval()]
    assert len(paths) > 20
    paths += MiningPlan(config).files("sheet.html")
    targets.check(config, configuration.read_specs(), paths, "<results>")


def mining(config: dict[str, Any], **changes: Any) -> MiningPlan:
    return MiningPlan({**config, "mining": {**config["mining"], **changes}})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"vectors": {"tiny_clip": "connector/cls"}}, "no vector of 'tiny_dino'"),
        ({"datasets": ["clever"]}, "did you mean 'clevr'?"),
    ],
)
def test_mining_reports_encoders_that_it_cannot_compare(
    config: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        mining(config, **changes).check()
    assert expected in str(caught.value)


def test_a_search_depends_only_on_its_own_vectors(config: dict[str, Any]) -> None:
    pair = SimpleNamespace(first="tiny_clip", second="tiny_dino", dataset="clevr")
    vectors = {**config["mining"]["vectors"], "another": "vision.0/cls"}
    one, other = mining(config, vectors=vectors), mining(config)
    assert one.settings("similar")(pair) == other.settings("similar")(pair)
    changed = mining(config, similar=0.5)
    assert changed.settings("similar")(pair) != one.settings("similar")(pair)
    assert changed.settings("most")(pair) == one.settings("most")(pair)


def test_a_dataset_that_leaves_nothing_to_train_probes_on_is_refused(
    config: dict[str, Any],
) -> None:
    config["datasets"]["clevr"]["test_share"] = 1
    with pytest.raises(UserError, match="nothing is left to train on"):
        WorkflowPlan(config, configuration.read_specs()).check()


def test_every_layout_lists_existing_steps() -> None:
    package = ROOT / "workflow/eyechart"
    for name, layout in LAYOUTS.items():
        steps = [layout.prepare_step, layout.local_step, layout.download_step, layout.module]
        steps += [layout.draw_step, layout.write_step]
        for step in filter(None, steps):
            assert (package / f"{step.replace('.', '/')}.py").is_file(), (name, step)


def test_rendering_and_layouts_use_the_same_patterns() -> None:
    assert list(patterns.PATTERNS) == list(PATTERNS)
    assert list(patterns.TYPES) == list(PATTERNS)
