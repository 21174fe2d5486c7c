"""Rules get minimal slices of the configuration, so that nothing reruns without cause."""

import copy
import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.plan import configuration, training
from eyechart.plan.configuration import one_of
from eyechart.plan.mining import MiningPlan
from eyechart.plan.report import ReportPlan
from eyechart.plan.workflow import WorkflowPlan

TRAIN = SimpleNamespace(
    dataset="clevr", split="train", model="tiny_llava", scope="item", task="color"
)
CLIP = SimpleNamespace(dataset="clevr", model="tiny_clip", scope="image", task="has_red")


def exam(config: dict[str, Any], **changes: Any) -> WorkflowPlan:
    changed = copy.deepcopy(config)
    changed["datasets"]["clevr"].update(changes.pop("clevr", {}))
    for section, values in changes.items():
        changed[section].update(values)
    return WorkflowPlan(changed, configuration.read_specs())


def test_images_do_not_depend_on_questions_or_other_splits(config: dict[str, Any]) -> None:
    base = exam(config).scene_settings(TRAIN)
    counts = config["datasets"]["clevr"]["splits"]
    for change in (
        {"questions": {"color": 9}},
        {"balance": False},
        {"splits": {**counts, "val": 999}},
        {"parts": 9},
        {"tasks": ["color"]},
    ):
        assert exam(config, clevr=change).scene_settings(TRAIN) == base
    for change in ({"splits": {**counts, "train": 999}}, {"rendering": {"gap": 0.2}}):
        assert exam(config, clevr=change).scene_settings(TRAIN) != base
    assert exam(config, rendering={"gap": 0.2}).scene_settings(TRAIN) != base


def test_questions_do_not_depend_on_rendering(config: dict[str, Any]) -> None:
    base = exam(config).question_settings(TRAIN)
    assert (
        exam(config, rendering={"gap": 0.2}, clevr={"shards": 9}).question_settings(TRAIN) == base
    )
    assert exam(config, clevr={"balance": False}).question_settings(TRAIN) != base


def test_an_encoder_does_not_depend_on_the_prompt(config: dict[str, Any]) -> None:
    other = exam(config, extraction={"prompt": "Q: {question}"})
    assert other.extraction.settings(CLIP) == exam(config).extraction.settings(CLIP)
    assert other.extraction.settings(TRAIN) != exam(config).extraction.settings(TRAIN)


def test_a_dataset_may_have_a_seed_of_its_own(config: dict[str, Any]) -> None:
    assert exam(config).seed(TRAIN) == config["seed"]
    assert exam(config, clevr={"seed": 99}).seed(TRAIN) == 99


def test_figures_do_not_depend_on_the_page(config: dict[str, Any]) -> None:
    other = exam(config, report={"title": "Other"})
    assert other.report_settings("alpha") == exam(config).report_settings("alpha")
    assert other.report_settings() != exam(config).report_settings()
    assert json.loads(other.report_settings())["seed"] == config["seed"]


def test_official_splits_are_names_for_every_source(config: dict[str, Any]) -> None:
    for splits in ({"train": 900, "val": 300}, ["train", "val"]):
        taken = exam(config, clevr={"splits": splits}).acquire_settings(TRAIN)
        assert json.loads(taken) == {"layout": "clevr", "splits": ["train", "val"]}


def test_paths_have_the_form_of_the_contracts(config: dict[str, Any]) -> None:
    e = exam(config, clevr={"parts": 2, "shards": 1})
    assert e.parts(TRAIN) == [
        f"<results>/extraction/tiny_llava/clevr/item/part-00{n}.parquet" for n in (0, 1)
    ]
    assert e.shards(TRAIN) == [f"<raw>/clevr/shards/{s}-000.json" for s in ("train", "val")]
    assert e.manifest(TRAIN) == "<results>/extraction/tiny_llava/clevr/item/manifest.json"


def test_the_report_reads_every_table_once_and_only_probed_scopes(config: dict[str, Any]) -> None:
    e = exam(config)
    probes = e.probes(".parquet")
    assert len(probes) == len(set(probes)) == len(e.probes(".predictions.parquet"))
    assert len(e.manifests()) == len(set(e.manifests()))
    assert not any("tiny_clip/clevr/item" in path for path in e.manifests())
    only_image = exam(config, clevr={"tasks": ["has_red"]})
    assert not any("/item/" in path for path in only_image.manifests())


def test_training_images_are_rendered_but_not_examined(config: dict[str, Any]) -> None:
    assert exam(config).probed_datasets == ["clevr"]
    assert "clevr_pretrain" in exam(config).dataset_pattern("render").split("|")


def test_a_pattern_of_no_names_matches_nothing() -> None:
    assert not re.fullmatch(one_of([]), "")
    assert not re.fullmatch(one_of([]), "x")
    assert re.fullmatch(one_of(["a", "b"]), "b")


def test_a_family_that_is_loaded_by_name_counts_as_code(config: dict[str, Any]) -> None:
    give = exam(config).code_with_family("eyechart.extraction.extract_activations")
    clip, llava = give(CLIP).split(), give(TRAIN).split()
    assert clip[0] == llava[0]
    assert clip[1] != llava[1]


def test_a_dataset_section_has_only_its_own_rendering_keys(config: dict[str, Any]) -> None:
    drawn = json.loads(
        exam(config, clevr={"rendering": {"camera": {"fov": 30}}}).scene_settings(TRAIN)
    )
    assert drawn["camera"] == {**config["rendering"]["camera"], "fov": 30}


def test_a_model_without_a_task_is_refused(config: dict[str, Any]) -> None:
    exam(config).check()
    config["behavior"]["datasets"] = config["readout"]["datasets"] = []
    with pytest.raises(UserError, match="no task applies to 'tiny_clip'"):
        exam(config, clevr={"tasks": ["color"]}).check()


def test_an_encoder_has_no_figures_of_a_dataset_without_image_tasks(config: dict[str, Any]) -> None:
    other = exam(config, clevr={"tasks": ["color"]})
    figures = [
        p for p in ReportPlan(other, MiningPlan(other.config)).manifests() if "/probing/" in p
    ]
    assert not any("tiny_clip" in path for path in figures)
    assert any("tiny_llava" in path for path in figures)


def test_figures_are_files_only_if_requested(config: dict[str, Any]) -> None:
    plan = exam(config, report={"figures": ["verdict", "readout"]})
    found = ReportPlan(plan, MiningPlan(plan.config)).manifests()
    assert {path.split("/")[3] for path in found} == {"verdict", "readout"}


@pytest.mark.parametrize("weights", ["shipped", "train"])
def test_only_the_stages_behind_the_examined_models_have_curves(
    config: dict[str, Any], weights: str
) -> None:
    config["tiny_models"]["weights"] = weights
    counts = {}
    for models in (["tiny_clip"], ["tiny_llava_aligned"], ["tiny_clip", "tiny_llava"], []):
        config["models"] = models
        counts[" ".join(models)] = len(training.curves(config))
    assert counts == {"tiny_clip": 1, "tiny_llava_aligned": 3, "tiny_clip tiny_llava": 4, "": 0}


def with_regions(config: dict[str, Any], *spans: str, **changes: Any) -> WorkflowPlan:
    return exam(config, extraction={"spans": list(spans)}, **changes)


def test_an_encoder_is_probed_for_attributes_if_referents_are_pooled(
    config: dict[str, Any],
) -> None:
    images = configuration.tasks_for(config, configuration.read_specs(), "tiny_clip", "clevr")
    plan = with_regions(config, "cls", "referent")
    found = configuration.tasks_for(plan.config, plan.specs, "tiny_clip", "clevr")
    assert set(found) - set(images) == {"color", "shape", "material", "size"}
    probe = SimpleNamespace(model="tiny_clip", dataset="clevr", task="color")
    assert plan.manifest(probe).endswith("/tiny_clip/clevr/item/manifest.json")
    assert any(e.probed for e in plan.verdict.evidence("tiny_clip"))


def test_question_types_are_probed_in_images_without_regions(config: dict[str, Any]) -> None:
    image = ["<results>/extraction/tiny_llava/clevr/image/manifest.json"]
    for task, spans, expected in (
        ("boolean", ("cls", "referent"), image),
        ("color", ("cls", "referent"), []),
        ("color", ("cls", "last"), image),
        ("has_red", ("cls", "last"), []),
    ):
        probe = SimpleNamespace(model="tiny_llava", dataset="clevr", task=task)
        assert with_regions(config, *spans).image_manifest(probe) == expected


def test_regions_are_read_if_their_spans_are_requested(config: dict[str, Any]) -> None:
    assert exam(config).extraction.regions(CLIP) == []
    for spans in (("referent",), ("cls", "other_object")):
        assert with_regions(config, *spans).extraction.regions(CLIP) == [
            "<results>/datasets/clevr/regions.parquet"
        ]
    mmvp = SimpleNamespace(dataset="mmvp", model="tiny_llava", scope="item")
    changed = copy.deepcopy(config)
    changed["datasets"]["mmvp"] |= {"tasks": ["state"], "test_share": 0.5}
    plan = with_regions(changed, "last", "referent")
    assert plan.extraction.regions(mmvp) == []  # its items have no regions
    assert json.loads(plan.extraction.settings(mmvp))["spans"] == ["last"]
    with pytest.raises(UserError, match=r"extraction\.spans is only referent, but .* of 'mmvp'"):
        with_regions(changed, "referent").check()


def test_a_region_that_no_dataset_has_is_a_one_sentence_error(config: dict[str, Any]) -> None:
    changed = copy.deepcopy(config)
    changed["datasets"]["mmvp"] |= {"tasks": ["state"], "test_share": 0.5}
    plan = with_regions(changed, "last", "referent", clevr={"tasks": []})
    with pytest.raises(UserError, match=r"'referent' is a region of each item, .* layout clevr, "):
        plan.check()
