"""The small exam once, from nothing to the page; the only workflow test in `make test`."""

import pytest
from project import Project

pytestmark = pytest.mark.workflow


def test_the_small_exam_is_finished_and_then_has_nothing_to_do(finished: Project) -> None:
    page = finished.path("results/report/index.html").read_text()
    assert all(model in page for model in finished.config["models"])
    assert "Nothing to be done" in finished.finish("-n")
