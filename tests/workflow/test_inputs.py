"""The inputs of every planned job agree: tables about items come with these items."""

from collections import defaultdict
from typing import Any

import planner
import pytest
from project import ROOT, Project

from eyechart.plan import paths

pytestmark = pytest.mark.workflow

PRESETS = sorted(path.name for path in (ROOT / "config/presets").glob("*.yaml"))
OFF: dict[str, Any] = {"datasets": []}
SECTIONS = ["behavior", "readout", "concepts", "attention"]
CHANGES: dict[str, dict[str, Any]] = {
    **{f"without {section}": {section: OFF} for section in SECTIONS},
    **{
        f"{section} alone": {other: OFF for other in SECTIONS if other != section}
        for section in SECTIONS
    },
}
# The kind of each file
KINDS = {
    paths.ITEMS: "items",
    paths.IMAGES: "images",
    paths.REGIONS: "regions",
    paths.RECEIPT: "receipt",
    paths.PROBES: "probes",
    paths.PROBE_PREDICTIONS: "predictions",
    paths.MANIFEST: "activations",
    paths.RESPONSES: "responses",
    paths.SCORES: "scores",
    paths.DISTRIBUTIONS: "distributions",
    paths.READOUTS: "readouts",
    paths.READOUT_PREDICTIONS: "readouts",
    paths.CONCEPTS: "concepts",
    paths.ATTENTION: "attention",
    paths.INTERVENTIONS: "interventions",
    paths.SALIENCY: "saliency",
}
# A step that reads both kinds gets both for the same datasets and models
TOGETHER = [("scores", "distributions"), ("items", "images")]
Job = dict[str, Any]


def planned(project: Project, *presets: str, **config: Any) -> list[Job]:
    """Return the jobs of a configuration."""
    return planner.jobs(project.folder, [f"config/presets/{name}" for name in presets], config)


def about(files: list[str]) -> dict[str, set[tuple[str, ...]]]:
    """Return (dataset,) or (dataset, model) of each path, by the kind of its file."""
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for file in files:
        pattern, names = paths.find(file) or (None, {})
        if pattern in KINDS:
            own = (names[name] for name in ("dataset", "model") if name in names)
            found[KINDS[pattern]].add(tuple(own))
    return found


def faults(job: Job) -> list[str]:
    """Return the disagreements between the inputs of a job."""
    where, model = f"{job['rule']} {job['wildcards']}", job["wildcards"].get("model")
    return [
        f"{where}: {fault}"
        for group in _groups(job["inputs"])
        for fault in (*_lacking_items(group, model), *_parted(group))
    ]


def _groups(inputs: dict[str, list[str]]) -> list[list[str]]:
    """Return the inputs about the model itself, and those about the contained encoder."""
    own = [p for name, files in inputs.items() if not name.startswith("encoder_") for p in files]
    other = [p for name, files in inputs.items() if name.startswith("encoder_") for p in files]
    return [own, other]


def _lacking_items(files: list[str], model: str | None) -> list[str]:
    """Return the inputs without their items; scores of an encoder next to a model need none."""
    found = about(files)
    tables = {dataset for kind in ("items", "images") for dataset, *_ in found[kind]}
    if not tables:
        return []
    others = {kind: sets for kind, sets in found.items() if kind not in ("items", "images")}
    lacking = [
        f"{kind} of {'/'.join(one)} without its items"
        for kind, sets in others.items()
        for one in sorted(sets)
        if one[0] not in tables and (model is None or one[1:] in ((), (model,)))
    ]
    spoken = {one[0] for sets in others.values() for one in sets}
    idle = [f"items of {dataset} of which nothing is read" for dataset in sorted(tables - spoken)]
    return lacking + (idle if spoken else [])


def _parted(files: list[str]) -> list[str]:
    found = about(files)
    pairs = [pair for pair in TOGETHER if found[pair[0]] and found[pair[1]]]
    return [
        f"{one} of {sorted(found[one])}, {other} of {sorted(found[other])}"
        for one, other in [("probes", "predictions"), *pairs]  # these two always come together
        if found[one] != found[other]
    ]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A fresh copy of the project, used only for planning."""
    return Project.create(tmp_path_factory.mktemp("planned") / "project")


def check(jobs: list[Job]) -> None:
    found = [fault for job in jobs for fault in faults(job)]
    assert not found, "\n".join(found)
    assert {"decide", "build_report"} <= {job["rule"] for job in jobs}


def test_inputs_of_every_job_of_the_demo_agree(project: Project) -> None:
    check(planned(project))


@pytest.mark.parametrize("preset", PRESETS)
def test_inputs_of_every_job_of_a_preset_agree(preset: str, project: Project) -> None:
    check(planned(project, preset))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_inputs_agree_whatever_is_switched_off(change: dict[str, Any], project: Project) -> None:
    check(planned(project, "full_demo.yaml", **change))


def test_a_probe_table_without_its_items_is_found() -> None:
    items = ["results/datasets/blink/items.parquet"]
    answers = ["results/behavior/responses/tiny_dino/blink/sighted.parquet"]
    probes = ["results/probing/tiny_dino/clevr/has_red.parquet"]
    predictions = ["results/probing/tiny_dino/clevr/has_red.predictions.parquet"]

    def found(**inputs: list[str]) -> list[str]:
        return faults({"rule": "decide", "wildcards": {}, "inputs": inputs})

    assert found(items=items, answers=answers) == []
    assert len(found(items=items, answers=answers, probes=probes, preds=predictions)) == 2
    assert len(found(items=items, answers=answers, probes=probes)) == 2
    assert len(found(items=items)) == 0
    assert len(found(items=[*items, "results/datasets/coco/items.parquet"], answers=answers)) == 1
