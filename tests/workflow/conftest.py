"""Run the small exam once; each test works on a copy of the finished run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from project import Project

QUICK = "test_small.py"  # `make test` runs these


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all other tests in this folder as slow."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.name != QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the small exam after an undisturbed run on two cores; tests must not change it."""
    project = Project.create(tmp_path_factory.mktemp("finished") / "project")
    project.finish()
    return project


@pytest.fixture
def copy(finished: Project, tmp_path: Path) -> Callable[[], Project]:
    """Return a function that copies the finished project."""

    def make() -> Project:
        return finished.clone(tmp_path / "project")

    return make
