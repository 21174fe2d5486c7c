"""A toy section needs only one folder and one entry; a decoder is a component."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from report_fixture import SETTINGS, metrics_of, predictions_of, write_dataset

from eyechart.report.files import TABLES, identify
from eyechart.report.registry import SECTIONS
from eyechart.report.sections.models.page import describe
from eyechart.report.sections.probing.components import component_rows, components
from eyechart.report.sections.probing.load import (
    TaskResult,
    best_by_component,
    best_of,
    confusion,
    merge_seeds,
)
from eyechart.report.templates import FOLDER, open_templates

PACKAGE = FOLDER.parent
CHARTS = """
from eyechart.report.files import Inputs
from eyechart.report.chart_style import base, finish

def figures(inputs, settings):
    rows = [{"dataset": name, "n": n} for n, name in enumerate(inputs.by_dataset("items"))]
    chart = base("points").mark_bar().encode(x="n:Q", y="dataset:N")
    return {"toy": finish(chart, {"points": rows}, "a toy")}
"""
PAGE = """
def context(inputs, settings):
    return {"names": list(inputs.by_dataset("items"))}
"""
TEMPLATE = '<section id="toy">{% for name in names %}<p>toy of {{ name }}</p>{% endfor %}</section>'
ENTRY = '    "toy": PageSection("Toys", ("items",), Figures(WHOLE, ("items",), ("toy",))),\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with data and a copy of the package with a toy section."""
    package = tmp_path / "workflow/eyechart"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    folder = package / "report/sections/toy"
    folder.mkdir()
    files = {"charts.py": CHARTS, "page.py": PAGE, "template.html.j2": TEMPLATE, "__init__.py": ""}
    for name, text in files.items():
        (folder / name).write_text(text)
    registry = package / "report/registry.py"
    entry = registry.read_text().replace("SECTIONS = {\n", f"SECTIONS = {{\n{ENTRY}")
    registry.write_text(entry)
    write_dataset(tmp_path, 3)
    return tmp_path


def run(project: Path, step: str, *words: str) -> None:
    path = os.pathsep.join([str(project / "workflow"), *sys.path])
    subprocess.run([sys.executable, "-m", f"eyechart.report.{step}", *words],
                   check=True, cwd=project, env={**os.environ, "PYTHONPATH": path})  # fmt: skip


def test_a_new_section_is_one_folder_and_one_entry(project):
    tables = ["--tables", "results/datasets/clevr/items.parquet"]
    settings = ["--settings", json.dumps(SETTINGS)]
    run(project, "draw", "--section", "toy", *tables, *settings, "--output", "toy/figures.json")
    assert {p.name for p in (project / "toy").iterdir()} == {
        *(f"toy.{end}" for end in ("svg", "png", "csv")),
        "figures.json",
    }
    (project / "configuration.json").write_text("{}")
    run(
        project,
        "build_report",
        *tables,
        *settings,
        "--sections",
        "toy",
        "--benchmarks",
        "b",
        "--configuration",
        "configuration.json",
        "--output",
        "page.html",
    )
    page = (project / "page.html").read_text()
    assert "<p>toy of clevr</p>" in page and '<a href="#toy">Toys</a>' in page


def test_every_section_has_its_files_and_reads_known_tables():
    for name, section in SECTIONS.items():
        folder = FOLDER / "sections" / name
        assert (folder / "page.py").exists() and (folder / "template.html.j2").exists()
        figures = section.figures
        assert set(section.tables) <= set(TABLES)
        if figures:
            assert set(figures.tables) <= set(section.tables)
            for figure in figures.names:
                assert (folder / f"{figure.split('_{', 1)[0]}.rst").exists(), figure


def test_each_pattern_identifies_its_own_table():
    for table, (pattern, own) in TABLES.items():
        names = {name: f"a_{name}" for name in pattern.names}
        path = pattern.at(**(names | ({"table": own} if own else {})))
        assert identify(path).table == table
        assert identify(f"/elsewhere/{path}").names == identify(path).names


def test_the_decoder_of_a_language_model_is_a_separate_component():
    """FLAN-T5 has an encoder (``lm``) and a decoder; neither is shown as 'other'."""
    classes = ["no", "yes"]
    head = {"model": "tiny_llava", "dataset": "clevr", "task": "boolean", "scope": "item"}
    rows = predictions_of("tiny_llava", "boolean", classes, "item", (40, 1))
    names = {"lm.3": "decoder.0", "lm.norm": "decoder.norm"}
    renamed = pl.col("address").replace(names)
    rows = rows.with_columns(renamed)
    points = merge_seeds(metrics_of(rows, head, 2))
    assert list(dict.fromkeys(points["component"])) == ["lm", "decoder"]
    best = best_of(points)
    found = best_by_component(points)
    shown = rows.filter(pl.col("kind") == "task")
    result = TaskResult(**head, points=points, best=best, components=found,
                        confusion=confusion(shown, best), comparisons=())  # fmt: skip
    assert {row["component"] for row in component_rows([result])} == {"lm", "decoder"}
    assert "model's decoder" in str(components([result])).replace("\\", "")
    card = {"model": "t5", "kind": "vlm", "family": "blip2", "reads": [], "parameters": 1}
    card["reads_text"] = True
    card["addresses"] = [{"address": a} for a in ("decoder.1", "decoder.0", "lm.0", "vision.0")]
    assert describe(card)["addresses"] == "vision.0, lm.0, decoder.0–1"


def test_only_the_first_section_is_open():
    section = {"title": "Tuning", "about": "", "html": "", "script": ""}
    sections = [section | {"name": name} for name in ("tuning", "provenance")]
    known = {"sections": sections, "findings": [], "title": "Exam", "vega": "", "script": ""}
    page = open_templates().get_template("page.html.j2").render(known)
    assert '<details class="fold" id="tuning" open>' in page
    assert '<details class="fold" id="provenance">' in page
