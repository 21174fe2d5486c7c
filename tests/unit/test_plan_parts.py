"""The number of parts of a model's work: the configured one, or one based on the size."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from documented_commands import ROOT

from eyechart.core import config_files
from eyechart.plan import configuration, parts
from eyechart.plan.config.check import check
from eyechart.plan.resources import JobResources
from eyechart.plan.workflow import WorkflowPlan

PAPER = "config/presets/paper.yaml"
DAY = 24 * 60


@pytest.fixture(scope="module")
def paper() -> WorkflowPlan:
    config = check(config_files.read(ROOT / PAPER), [str(ROOT / PAPER)])
    return WorkflowPlan(config, configuration.read_specs())


def job(model: str, **names: str) -> SimpleNamespace:
    return SimpleNamespace(model=model, dataset="clevr", **names)


@pytest.mark.parametrize(
    ("model", "answers", "extraction"),
    [
        ("clip_vit_b32", 1, 1),
        ("internvl3_1b", 2, 1),
        ("llava_1_5_7b", 9, 3),
        ("llava_1_5_13b", 17, 5),
    ],
)
def test_auto_follows_the_size_of_the_model(
    paper: WorkflowPlan, model: str, answers: int, extraction: int
) -> None:
    at = (paper.config, paper.specs, job(model))
    assert parts.count(*at) == answers
    assert parts.count(*at, parts.EXTRACTION) == extraction
    names = {"model": model, "dataset": "clevr", "scope": "item"}
    assert paper.parts(SimpleNamespace(**names)) == [
        f"<results>/extraction/{model}/clevr/item/part-{n:03d}.parquet" for n in range(extraction)
    ]
    last = job(model, part=f"{answers - 1:03d}")
    assert paper.part_flags()(last) == f"--part {answers - 1} --parts {answers}"


def test_a_fixed_number_applies_to_every_model(paper: WorkflowPlan) -> None:
    clevr = {**paper.config["datasets"]["clevr"], "parts": 3}
    config = {**paper.config, "datasets": {"clevr": clevr}}
    for model in ("clip_vit_b32", "llava_1_5_13b"):
        assert parts.names(config, paper.specs, job(model)) == ["000", "001", "002"]
        assert parts.count(config, paper.specs, job(model), parts.EXTRACTION) == 3


def test_a_dataset_without_parts_has_jobs_without_a_part(paper: WorkflowPlan) -> None:
    assert paper.part_flags()(job("llava_1_5_7b")) == "--part 0 --parts 1"
    assert paper.parted_pattern(True) == "clevr|coco"
    assert paper.parted_pattern(False) == "mmvp|mmvp_vlm|clevr_pretrain"


def test_no_part_of_the_papers_preset_requests_more_than_a_day(
    paper: WorkflowPlan, tmp_path: Path
) -> None:
    asks = JobResources(paper.config, paper.specs, str(tmp_path))
    found: dict[str, Any] = {}
    for model in paper.models:
        for dataset in ("clevr", "coco"):
            one = SimpleNamespace(model=model, dataset=dataset)
            for name in ("behavior_minutes", "extraction_minutes"):
                found[f"{name} {model} {dataset}"] = getattr(asks, name)(one, 1)
    assert {name: minutes for name, minutes in found.items() if minutes > DAY} == {}
