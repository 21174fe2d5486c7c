"""The small exam once, and its check: the only workflow tests in `make test`."""

from collections.abc import Callable

import pytest
from project import Project

pytestmark = pytest.mark.workflow


def test_the_small_exam_is_finished_and_then_has_nothing_to_do(finished: Project) -> None:
    page = finished.path("results/report/index.html").read_text()
    assert all(model in page for model in finished.config["models"])
    assert "Nothing to be done" in finished.finish("-n")


def test_verify_lists_each_damaged_file_on_a_line(
    finished: Project, copy: Callable[[], Project]
) -> None:
    project = copy()
    names = sorted(name for name in project.hashes("results") if name.endswith(".parquet"))
    assert len(names) > 10
    for name in names:
        project.path(name).write_bytes(project.path(name).read_bytes()[:-1])
    told = project.run("verify")
    listed = [line for line in told.stdout.splitlines() if line.startswith("eyechart: error: ")]
    assert told.returncode == 1
    assert sorted(listed[:-1]) == [f"eyechart: error: {name} was damaged" for name in names]
    assert listed[-1].endswith(f"changed since they were written: {len(names)}; run again")
