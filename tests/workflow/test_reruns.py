"""What runs again after a change, and what does not: real plans on a finished run."""

import ast
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
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

Change = Callable[[Project], None]


def touch_everything(project: Project) -> None:
    for path in project.folder.rglob("*"):
        if ".snakemake" not in path.parts:
            os.utime(path)


def edit_words(project: Project) -> None:
    """Add a comment to every module and change the first docstring in it."""
    for path in project.path("workflow/eyechart").rglob("*.py"):
        text = path.read_text()
        if doc := ast.get_docstring(ast.parse(text), clean=False):
            text = text.replace(doc, doc + " And more.", 1)
        path.write_text(text + "\n\n# a comment\n")


def edit_logic(module: str) -> Change:
    def change(project: Project) -> None:
        with open(project.path(f"workflow/eyechart/{module}"), "a") as file:
            file.write("\nMORE = 1\n")

    return change


def configure(**changes: object) -> Change:
    return lambda project: project.configure(changes)


def clevr(**changes: object) -> Change:
    return configure(datasets={"clevr": changes})


def delete(name: str) -> Change:
    return lambda project: project.path(name).unlink()


def put_folder(name: str) -> Change:
    def change(project: Project) -> None:
        project.path(name).unlink()
        project.path(name).mkdir()

    return change


def damage(name: str, keep_time: bool = False) -> Change:
    """Flip one byte in the middle: the size stays."""

    def change(project: Project) -> None:
        before, content = project.path(name).stat(), bytearray(project.path(name).read_bytes())
        content[len(content) // 2] ^= 0xFF
        project.path(name).write_bytes(content)
        if keep_time:
            os.utime(project.path(name), ns=(before.st_atime_ns, before.st_mtime_ns))

    return change


def truncate(name: str) -> Change:
    return lambda project: os.truncate(project.path(name), 100)


def reorder_keys(project: Project) -> None:
    for section in ("extraction", "probing", "datasets"):
        project.config[section] = dict(reversed(project.config[section].items()))
    project.configure({})


def upgrade_library(project: Project) -> None:
    with open(project.path("requirements.lock"), "a") as lock:
        lock.write("another==1.0\n")


def swap_folds_and_seeds(project: Project) -> None:
    probing = project.config["probing"]
    project.configure({"probing": {"folds": probing["seeds"], "seeds": probing["folds"]}})


CASES: dict[str, tuple[Change, dict[str, int]]] = {
    # nothing depends on it
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
        # of whole images: it has no questions, so the verdict does not need it
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


@pytest.fixture(scope="module")
def plans(
    request: pytest.FixtureRequest, finished: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, int]]:
    """Return the plan of every case that was asked for; two are made at a time."""
    folder = tmp_path_factory.mktemp("plans")
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    names = [call.params["name"] for call in calls if call and call.params.get("name") in CASES]

    def plan(name: str) -> dict[str, int]:
        project = finished.clone(folder / name.replace(" ", "_"))
        CASES[name][0](project)
        return project.plan()

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(plan, names), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_change_reruns_exactly_what_depends_on_it(
    name: str, plans: dict[str, dict[str, int]]
) -> None:
    assert plans[name] == CASES[name][1]


def test_one_target_asks_for_its_ancestors_only(tmp_path: Path) -> None:
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


def test_a_damaged_shard_is_told_of_set_aside_and_made_again_with_the_same_bytes(
    finished: Project, copy: Callable[[], Project]
) -> None:
    project = copy()
    damage(PART)(project)
    output = project.finish("--until", "write_manifest")
    assert f"{PART} was damaged" in output
    assert project.path(f".snakemake/eyechart-damaged/{PART}").exists()
    roots = ("results/extraction",)
    assert project.hashes(*roots) == finished.hashes(*roots)
