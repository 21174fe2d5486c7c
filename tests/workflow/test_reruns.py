"""Which jobs run again after a change: real plans on a finished run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from changes import (
    Change,
    clevr,
    configure,
    damage,
    delete,
    delete_folder,
    edit_logic,
    edit_words,
    put_folder,
    reorder_keys,
    swap_folds_and_seeds,
    touch_everything,
    truncate,
    upgrade_library,
)
from project import Project

pytestmark = pytest.mark.workflow

PAGE = {"build_report": 1}
REPORT = {"draw_probing": 2, **PAGE}
CARD = {"draw_verdict": 1, **PAGE}
PROBES = {"train_probes": 3, "draw_probing": 2, "decide": 1, **CARD}
ALL_ACTIVATIONS = {"extract_encoder": 2, "extract_vlm": 2, "write_manifest": 3, **PROBES}
TABLES = {"prepare_marked": 1, **ALL_ACTIVATIONS}
QUESTIONS = {"write_drawn": 1, **TABLES}
ONE_SHARD = {"draw_scenes": 1, **QUESTIONS}
OF_CLIP = {"write_manifest": 1, "train_probes": 1, "draw_probing": 1, **PAGE}
OF_LLAVA = {"write_manifest": 2, "train_probes": 2, "draw_probing": 1, "decide": 1, **CARD}
PART = "results/extraction/tiny_clip/clevr/image/part-001.parquet"
WHOLE_IMAGE = "data/raw/clevr/images/train/CLEVR_train_000003.png"


CASES: dict[str, tuple[Change, dict[str, int]]] = {
    # no result depends on these
    "touch everything": (touch_everything, {}),
    "comment and docstring in every module": (edit_words, {}),
    "order of keys": (reorder_keys, {}),
    # code
    "logic of the page": (edit_logic("report/sections/probing/page.py"), PAGE),
    "logic of the figures": (edit_logic("report/sections/probing/maps.py"), REPORT),
    "logic of one figure's section": (
        edit_logic("report/sections/verdict/charts.py"),
        {"draw_verdict": 1},
    ),
    "logic of probing": (edit_logic("probing/stacked.py"), PROBES),
    "logic of extraction": (edit_logic("extraction/engine.py"), ALL_ACTIVATIONS),
    "logic of a family": (
        edit_logic("models/families/llava.py"),
        {"describe_model": 1, "extract_vlm": 2, **OF_LLAVA},
    ),
    "logic of preparing": (edit_logic("data/layouts/clevr/prepare.py"), TABLES),
    "logic of the questions": (edit_logic("rendering/language/questions.py"), QUESTIONS),
    "logic of the renderer": (edit_logic("rendering/renderer.py"), {"draw_scenes": 4, **QUESTIONS}),
    "version of a library": (upgrade_library, {"draw_scenes": 4, "describe_model": 2, **QUESTIONS}),
    # configuration
    "title of the report": (configure(report={"title": "Other"}), PAGE),
    "level of significance": (configure(report={"alpha": 0.05}), REPORT),
    "two values swapped": (swap_folds_and_seeds, PROBES),
    "prompt template": (
        configure(extraction={"prompt": "Q: {question}"}),
        {"extract_vlm": 2, **OF_LLAVA},
    ),
    "list of addresses": (configure(extraction={"addresses": ["vision.*"]}), ALL_ACTIVATIONS),
    "seed": (configure(seed=8), {"draw_scenes": 4, **QUESTIONS}),
    "number of pictures of a split": (
        clevr(splits={"train": 44, "val": 20}),
        {"draw_scenes": 2, **QUESTIONS},
    ),
    "number of questions": (clevr(questions={"color": 2}), QUESTIONS),
    "samples per pixel": (
        clevr(rendering={"samples_per_pixel": 3}),
        {"draw_scenes": 4, **QUESTIONS},
    ),
    "share of the test split": (clevr(test_share=0.3), TABLES),
    "one task more": (
        clevr(tasks=["shape", "has_metal", "has_red"]),
        # an image task has no questions, so the verdict does not need it
        {"train_probes": 2, **REPORT},
    ),
    "one model less": (configure(models=["tiny_clip"]), {"draw_training": 1, **PAGE}),
    # files
    "shard deleted": (delete(PART), {"extract_encoder": 1, **OF_CLIP}),
    "shard damaged": (damage(PART), {"extract_encoder": 1, **OF_CLIP}),
    "shard cut off": (truncate(PART), {"extract_encoder": 1, **OF_CLIP}),
    "manifest cut off": (
        truncate("results/extraction/tiny_clip/clevr/image/manifest.json"),
        OF_CLIP,
    ),
    "picture deleted": (delete(WHOLE_IMAGE), ONE_SHARD),
    "picture damaged": (damage(WHOLE_IMAGE), ONE_SHARD),
    "weights damaged": (
        damage("data/models/tiny_clip/model.safetensors"),
        {"install_weights": 1, "describe_model": 1, "extract_encoder": 2, **OF_CLIP},
    ),
    "figure deleted": (
        delete("results/report/figures/probing/clevr/tiny_clip/layer_curves.svg"),
        {"draw_probing": 1},
    ),
    "items deleted": (delete("results/datasets/clevr/items.parquet"), TABLES),
    "receipt deleted": (delete("data/raw/clevr/acquired.json"), QUESTIONS),
    "manifest deleted": (delete("results/extraction/tiny_clip/clevr/image/manifest.json"), OF_CLIP),
    "Snakemake's records deleted": (
        delete_folder(".snakemake/metadata"),
        {"describe_model": 2, "draw_training": 1, **TABLES},
    ),
    "probes damaged in time": (
        damage("results/probing/tiny_clip/clevr/has_metal.parquet", keep_time=True),
        {"train_probes": 1, "draw_probing": 1, **PAGE},
    ),
    "verdict deleted": (delete("results/verdict/tiny_llava.parquet"), {"decide": 1, **CARD}),
    "a folder in the card's place": (
        put_folder("results/models/tiny_clip/card.json"),
        {"describe_model": 1, "extract_encoder": 2, **OF_CLIP},
    ),
}


# Stages that the small exam omits; their outputs are pretended, since nothing is run
ASKED = {
    "tuning": {"tasks": {"clevr": ["shape"]}, "arms": ["lora_connector", "lora_lm"], "seeds": 2},
    "saliency": {"datasets": ["clevr"]},
    "controlled": {"data": "scenes"},
    "datasets": {
        "scenes": {"layout": "clevr", "source": "render", "splits": {"train": 8, "val": 8}}
    },
}
TARGETS = [
    *("results/speed/index.html", "results/tuning/tiny_llava.html"),
    *("results/saliency/tiny_llava.parquet", "results/saliency/tiny_clip/clevr/summary.parquet"),
    "data/models/tiny_vlm_supervised/ready.json",  # needs the file of tiny_supervised
]
SPEED = {"measure_speed": 2, "draw_speed": 1}
TUNING_PAGE = {"build_tuning_page": 1}
ARMS = {"compare_arms": 1, **TUNING_PAGE}
TUNING = {"tune": 2, "map_attention": 1, **ARMS}
SUMMARY = {"summarise_saliency": 1}  # the encoder's is a target
SALIENCY = {"attribute": 2, "measure_image_use": 1, **SUMMARY}
MORE: dict[str, tuple[Change, dict[str, int]]] = {
    "nothing changes in further stages": (touch_everything, {}),
    "logic of probing, which they do not read": (edit_logic("probing/stacked.py"), {}),
    "images that are timed": (configure(speed={"items": 5}), SPEED),
    "logic of timing": (edit_logic("speed/measure.py"), SPEED),
    "logic of the page of speed": (edit_logic("report/sections/speed/sheet.py"), {"draw_speed": 1}),
    "steps of tuning": (configure(tuning={"steps": 77}), TUNING),
    "logic of an arm": (edit_logic("tuning/arms.py"), TUNING),
    "one arm more": (
        configure(tuning={"arms": ["lora_connector", "lora_lm", "lora_vision"]}),
        {**TUNING, "tune": 1},
    ),
    "seeds of tuning": (configure(tuning={"seeds": 1}), TUNING),
    "level of tuning": (configure(tuning={"alpha": 0.2}), ARMS),
    "logic of comparing arms": (edit_logic("tuning/compare.py"), ARMS),
    "maps of attention": (configure(tuning={"maps": 5}), {"map_attention": 1, **TUNING_PAGE}),
    "logic of maps of attention": (
        edit_logic("tuning/map_attention.py"),
        {"map_attention": 1, **TUNING_PAGE},
    ),
    "logic of the section of tuning": (edit_logic("report/sections/tuning/page.py"), TUNING_PAGE),
    "an adapter deleted": (
        delete("results/tuning/tiny_llava/clevr/shape/lora_lm/true-0/adapter_model.safetensors"),
        {**TUNING, "tune": 1},
    ),
    "items of saliency": (configure(saliency={"items": 3}), SALIENCY),
    "logic of saliency": (edit_logic("saliency/methods.py"), SALIENCY),
    "draws of saliency's summary": (configure(saliency={"bootstrap": 200}), SUMMARY),
    "logic of the use of the image": (
        edit_logic("saliency/measure_image_use.py"),
        {"measure_image_use": 1},
    ),
    "recipe of all controlled models": (configure(controlled={"images": 9}), {"build_model": 2}),
    "logic of controlled models": (edit_logic("tiny_models/build_model.py"), {"build_model": 2}),
    "recipe of connectors alone": (
        configure(controlled={"connector": {"steps": 9}}),
        {"build_model": 1},
    ),
    "the prompt, which recipes do not have": (
        configure(behavior={"prompt": "Q: {question}"}),
        {**TUNING, **SALIENCY},
    ),
}


@pytest.fixture(scope="module")
def further(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small exam as if further stages had run; tests must not change it."""
    project = finished.clone(tmp_path_factory.mktemp("further") / "project")
    project.configure(ASKED)
    project.pretend(*TARGETS)
    return project


@pytest.fixture(scope="module")
def plans(
    request: pytest.FixtureRequest, finished: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, int]]:
    """Return the plan of every requested case; two are made at a time."""
    folder = tmp_path_factory.mktemp("plans")
    every = {**CASES, **MORE}
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    names = [call.params["name"] for call in calls if call and call.params.get("name") in every]
    start = {name: finished for name in names if name in CASES}
    if len(start) < len(names):
        start |= dict.fromkeys(set(names) - set(start), request.getfixturevalue("further"))

    def plan(name: str) -> dict[str, int]:
        project = start[name].clone(folder / name.replace(" ", "_"))
        every[name][0](project)
        return project.plan(*(TARGETS if name in MORE else ()))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(plan, names), strict=True))


@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_a_change_reruns_exactly_what_depends_on_it(
    name: str, plans: dict[str, dict[str, int]]
) -> None:
    assert plans[name] == {**CASES, **MORE}[name][1]


def test_one_target_requests_only_its_ancestors(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    assert project.plan("results/probing/tiny_llava/clevr/shape.parquet") == {
        "draw_scenes": 4,
        "write_drawn": 1,
        "prepare_marked": 1,
        "install_weights": 1,
        "describe_model": 1,
        "extract_vlm": 2,
        "write_manifest": 2,
        "train_probes": 1,
    }


def test_a_damaged_shard_is_reported_set_aside_and_remade_with_the_same_bytes(
    finished: Project, copy: Callable[[], Project]
) -> None:
    project = copy()
    damage(PART)(project)
    output = project.finish("--until", "write_manifest")
    assert f"{PART} was damaged" in output
    assert project.path(f".snakemake/eyechart-damaged/{PART}").exists()
    roots = ("results/extraction",)
    assert project.hashes(*roots) == finished.hashes(*roots)
