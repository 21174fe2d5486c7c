"""The usual additions of CONTRIBUTING.md, each tested with a toy in a copy of the project.

A dataset's layout, a family, a readout and a model are one folder or file each. Layouts and
readouts also need one line in a registry. test_report_sections.py does the same with a section of
the report.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from test_readout_tasks import Puzzles, flags

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "workflow/eyechart"
SECTION = '''
from typing import Literal

from eyechart.plan.config.base import PositiveShare, setting
from eyechart.plan.config.dataset import Dataset
from eyechart.plan.layout import published


class Toy(Dataset):
    """Images that are bright or dark."""

    LAYOUT = published("toy", rendered=False, item_tasks=["light"], image_tasks=["lightness"])

    layout: Literal["toy"] = setting(..., "`toy`")
    test_share: PositiveShare = setting(0.5, "share of the groups that the split tests on")


SECTION = Toy
'''
LAYOUT = """
from pathlib import Path

from eyechart.tables import receipt

NAME = "toy"
TOPS = ("",)
FILES = (r".*\\.png",)
RELEASED = ("test",)
TITLE, WITH = "toy", "answers"


def inventory(root, splits):
    files = sorted(path.relative_to(root) for path in Path(root).glob("test/*.png"))
    return {"test": receipt.SplitCounts(images=len(files), questions=len(files))}, files
"""
PREPARE = '''
"""Make the tables of the toy."""

from pathlib import Path

from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.toy import layout


@command
def main(args: preparation.Preparation):
    receipt, root = preparation.open_receipt(args, layout.NAME)
    divide = preparation.divider(args)
    images, items = [], []
    for entry in receipt["files"]:
        name, light = Path(entry["path"]).stem, Path(entry["path"]).stem.split("_")[0]
        part = {"split": "test", "group_split": divide(name), "group": name, "type": name}
        path = (root / entry["path"]).as_posix()
        images.append({"image_id": name, "path": path, "label/lightness": light, **part})
        asked = {"prompt": "Is it dark?", "choices": ["dark", "bright"], "answer": light}
        items.append({"item_id": f"{name}_q", "images": [name], "task": "light",
                      "pair": None, "meta": "{}", **asked, **part})
    preparation.add_image_facts(root, images, receipt)
    preparation.write_tables(args, [preparation.as_items(items)], images, ["lightness"])


if __name__ == "__main__":
    main()
'''
READOUT = '''
"""Toy: the choice whose mean token lies nearest to the reference's."""

import numpy as np

from eyechart.readout.correspondence import mean_of


def score(reference, choices):
    means = np.stack([mean_of(*one) for one in choices])
    return -np.linalg.norm(means - mean_of(*reference), axis=1), 1.0
'''
FAMILY = '''
"""Toy: an encoder whose blocks stand where ViT's do."""

from typing import ClassVar

from eyechart.models.families.base import Adapter


class Toy(Adapter):
    MODEL = "Dinov2Model"
    VISION = "encoder.layer"
    ROOTS: ClassVar = {"vision": "encoder"}
    LEADING = 1


FAMILY = Toy
'''
FILES = {
    f"{PACKAGE}/data/layouts/toy/__init__.py": "",
    f"{PACKAGE}/data/layouts/toy/section.py": SECTION,
    f"{PACKAGE}/data/layouts/toy/layout.py": LAYOUT,
    f"{PACKAGE}/data/layouts/toy/prepare.py": PREPARE,
    f"{PACKAGE}/readout/toy.py": READOUT,
    f"{PACKAGE}/models/families/toy.py": FAMILY,
}
LINES = {  # registry, the line before, and the added line
    f"{PACKAGE}/plan/registry.py": ("FOLDERS = (\n", '    "data.layouts.toy",\n'),
    f"{PACKAGE}/readout/registry.py": (
        "READOUTS = {\n",
        '    "toy": ReadoutMethod((SEMANTIC,), "toy"),\n',
    ),
}
MODEL = {
    "family": "toy",
    "kind": "encoder",
    "checkpoint": "data/models/toy",
    "revision": None,
    "dtype": "float32",
    "licence": "none",
    "vision_blocks": 3,
    "lm_blocks": 0,
}
PLAN = """
import json
from eyechart.core.fingerprint import fingerprint
from eyechart.plan import configuration
from eyechart.plan.config.check import check
from eyechart.plan.workflow import WorkflowPlan
import sys

mine = {"layout": "toy", "source": "local", "path": "there"}
config = check({"models": ["toy"], "datasets": {"mine": mine}}, [])
specs = configuration.read_specs()
plan = WorkflowPlan(config, {"toy": specs["toy"]})
wanted = type("Wildcards", (), {"dataset": "mine", "model": "toy"})
print(json.dumps({
    "tasks": config["datasets"]["mine"]["tasks"],
    "asked": config["behavior"]["datasets"],
    "manifests": plan.manifests(),
    "step": plan.step("prepare_step")(wanted),
    "code": plan.code_of_step("prepare_step")(wanted),
    "family": plan.code_with_family("eyechart.models.describe_model")(wanted),
    "settings": plan.prepare_settings(wanted),
    "heavy": sorted({"numpy", "torch", "pyarrow"} & set(sys.modules)),
}))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the project's code and models, and the toys added."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("workflow", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    for name, (before, line) in LINES.items():
        text = (folder / name).read_text()
        assert text.count(before) == 1 and line.count("\n") == 1
        (folder / name).write_text(text.replace(before, before + line))
    (folder / "config/models/toy.yaml").write_text(yaml.safe_dump(MODEL, sort_keys=False))
    return folder


def run(project: Path, *words: str) -> str:
    path = os.pathsep.join([str(project / "workflow"), *sys.path])
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *words], check=False, cwd=project, text=True, capture_output=True, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_layout_a_family_and_a_model_are_planned(project):
    found = json.loads(run(project, "-c", PLAN))
    assert found["tasks"] == ["light", "lightness"] and found["asked"] == ["mine"]
    assert found["manifests"] == ["<results>/extraction/toy/mine/image/manifest.json"]
    assert found["step"] == "eyechart.data.layouts.toy.prepare"
    assert json.loads(found["settings"]) == {"splits": ["test"], "test_share": 0.5}
    assert len(found["code"].split()) == 2, "the step, and the layout that it finds by name"
    assert len(found["family"].split()) == 2
    assert found["heavy"] == []


def test_the_files_of_a_new_layout_become_tables(project):
    source = project / "there/test"
    source.mkdir(parents=True)
    for number in range(6):
        light = ("dark", "bright")[number % 2]
        shade = 255 * (number % 2)
        Image.new("RGB", (8 + number, 8), (shade,) * 3).save(source / f"{light}_{number}.png")
    raw, tables = "data/raw/mine", "results/datasets/mine"
    taken = json.dumps({"layout": "toy", "splits": ["test"]})
    run(project, "-m", "eyechart.data.sources.local", "--dataset", "mine", "--source", "there",
        "--settings", taken, "--root", raw, "--output", f"{raw}/acquired.json")  # fmt: skip
    settings = json.dumps({"splits": ["test"], "test_share": 0.5})
    run(project, "-m", "eyechart.data.layouts.toy.prepare", "--dataset", "mine",
        "--receipt", f"{raw}/acquired.json", "--settings", settings, "--seed", "7",
        "--items", f"{tables}/items.parquet", "--images", f"{tables}/images.parquet")  # fmt: skip
    items = pl.read_parquet(project / tables / "items.parquet")
    images = pl.read_parquet(project / tables / "images.parquet")
    assert items["answer"].to_list() == ["bright"] * 3 + ["dark"] * 3
    assert images["label/lightness"].to_list() == items["answer"].to_list()
    assert images["width"].to_list() == [9, 11, 13, 8, 10, 12]


@pytest.mark.slow
def test_a_second_readout_of_a_task_is_scored_too(project, tmp_path):
    puzzles = Puzzles("semantic_correspondence", "ABCD", 2, True)
    words = puzzles.write(tmp_path, lambda truth: truth)
    assert words == flags(tmp_path, [tmp_path / "image/manifest.json"])
    run(project, "-m", "eyechart.readout.read_out", *words)
    found = pl.read_parquet(tmp_path / "scores.parquet")
    names = {"points", "points/shuffled", "toy", "toy/shuffled"}
    assert set(found["readout"]) == names
    assert (found.filter(readout="toy")["value"] == 1).all()
    control = found.filter(readout="toy/shuffled")
    assert control["value"].mean() == pytest.approx(0.25, abs=0.15)
    code = "from eyechart.readout import registry as r; print(r.modules(['{}']))"
    assert "eyechart.readout.toy" in run(project, "-c", code.format("semantic_correspondence"))
    assert "eyechart.readout.toy" not in run(project, "-c", code.format("art_style"))


@pytest.mark.slow
def test_a_model_of_a_new_family_is_loaded_and_described(project):
    from zoo import build

    build("dinov2", project / "data/models/toy")
    run(project, "-m", "eyechart.models.describe_model", "--model", "toy",
        "--spec", "config/models/toy.yaml", "--checkpoint", "data/models/toy",
        "--view", "view.png", "--output", "card.json")  # fmt: skip
    card = json.loads((project / "card.json").read_text())
    assert card["family"] == "toy"
    assert [a["address"] for a in card["addresses"]] == ["vision.0", "vision.1", "vision.2"]
    assert np.unique([a["width"] for a in card["addresses"]]).tolist() == [32]
