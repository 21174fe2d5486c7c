"""The demo's shipped images match its config and are restored byte by byte."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
import yaml
from rendering_fixture import LOOK, SETTINGS, step

from eyechart.core.files import describe
from eyechart.plan import paths
from eyechart.plan.config.check import check
from eyechart.plan.workflow import WorkflowPlan
from eyechart.rendering import drawing as drawing_module
from eyechart.rendering import shipped
from eyechart.rendering.datasets.clevr import draw as clevr
from eyechart.rendering.step_helpers import Drawing, indices

ROOT = Path(__file__).resolve().parents[2]
DEMO = "config/config.yaml"


def plan():
    return WorkflowPlan(check(yaml.safe_load(Path(DEMO).read_text()), [DEMO]), {})


def shards():
    """Return the jobs that draw the demo's images, as dataset, split and shard."""
    return [
        (name, split, shard)
        for name, dataset in yaml.safe_load((ROOT / DEMO).read_text())["datasets"].items()
        for split in dataset["splits"]
        for shard in range(dataset["shards"])
    ]


def drawing(dataset, split, shard, root, **changes):
    """Return the flags of a drawing job."""
    settings = json.loads(plan().scene_settings(SimpleNamespace(dataset=dataset, split=split)))
    output = root / "shards" / f"{split}-{shard:03d}.json"
    flags = {"dataset": dataset, "split": split, "shard": shard, "root": root, "output": output}
    seed = plan().seed(SimpleNamespace(dataset=dataset))
    return Drawing(**{**flags, "settings": settings, "seed": seed, **changes})


@pytest.mark.parametrize(("dataset", "split", "shard"), shards())
def test_the_demo_does_not_render_its_images(dataset, split, shard, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    args = drawing(dataset, split, shard, tmp_path)
    assert shipped.restore(args), "its recipe has changed: run `snakemake data/drawn/…` and commit"
    manifest = json.loads(args.output.read_text())
    for entry in manifest["files"]:
        assert {**describe(tmp_path / entry["path"]), "path": entry["path"]} == entry
    assert not shipped.restore(drawing(dataset, split, shard, tmp_path, seed=8))


@pytest.mark.parametrize(("dataset", "split", "shard"), shards())
def test_shipped_images_equal_rendered_ones(dataset, split, shard, tmp_path, monkeypatch):
    """The first item of each shard is redrawn."""
    monkeypatch.chdir(ROOT)
    args = drawing(dataset, split, shard, tmp_path)
    for module in (drawing_module, clevr):
        monkeypatch.setattr(module, "restore", lambda args: False)
        monkeypatch.setattr(module, "indices", lambda *a, **b: islice(indices(*a, **b), 1))
    step(f"draw_{dataset}").main.__wrapped__(args)
    drawn = json.loads(args.output.read_text())
    names = {"dataset": dataset, "split": split, "shard": f"{shard:03d}"}
    with ZipFile(paths.DRAWN.at(**names)) as archive:
        packed = json.loads(archive.read(shipped.SHARD))["manifest"]
    for key, found in drawn.items():
        assert found and found == packed[key][: len(found)]


def test_a_packed_shard_is_restored_byte_by_byte(tmp_path, monkeypatch):
    """This includes its truth, with grey masks and 16-bit depth."""
    monkeypatch.chdir(tmp_path)
    flags = {"dataset": "clevr", "split": "val", "shard": 0, "seed": 7}
    settings = {**SETTINGS, **LOOK, "splits": {"val": 2}, "shards": 1}
    drawn, other = (
        Drawing(**flags, settings=settings, root=root, output=root / "shards/val-000.json")
        for root in (tmp_path / "drawn", tmp_path / "other")
    )
    clevr.main.__wrapped__(drawn)
    assert not shipped.restore(other)
    shipped.main.__wrapped__(replace(drawn, output=Path("data/drawn/clevr/val-000.zip")))
    clevr.main.__wrapped__(other)
    kept = [p.relative_to(drawn.root) for p in drawn.root.rglob("*") if p.is_file()]
    assert len(kept) == 2 * 3 + 1
    for path in kept:
        assert (drawn.root / path).read_bytes() == (other.root / path).read_bytes()
    with ZipFile("data/drawn/clevr/val-000.zip") as archive:
        assert archive.read("images/val/CLEVR_val_000000.png").startswith(shipped.WEBP)
