"""Snakemake's own report of a finished run: every figure with its caption."""

from collections.abc import Callable

import pytest
from project import Project

pytestmark = pytest.mark.workflow


def test_snakemakes_report_has_every_figure_with_its_caption(copy: Callable[[], Project]) -> None:
    project = copy()
    project.finish("--report", "report.html")
    page = project.path("report.html").read_text()
    figures = [path.name for path in project.path("results/report/figures").rglob("*.svg")]
    # four for each of two models, training curves, one exam card and the comparison
    assert len(figures) == 11
    assert all(name in page for name in figures)
    assert "one panel per task" in " ".join(page.split())  # the caption of layer curves
