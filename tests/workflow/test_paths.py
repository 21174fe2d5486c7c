"""With another results folder, every job is planned there and nothing in the default folder."""

from pathlib import Path

import pytest
from project import Project

pytestmark = pytest.mark.workflow


def test_results_can_be_moved(tmp_path: Path) -> None:
    def commands() -> list[str]:
        return sorted(line for line in project.finish("-n", "-p").splitlines() if " -m " in line)

    project = Project.create(tmp_path / "project")
    blink = {"layout": "blink", "source": "render", "splits": {"val": 8}}
    project.configure({"datasets": {"blink": blink}, "behavior": {"datasets": ["blink"]}})
    before = commands()
    version = 'min_version("9.27.1")\n'
    project.edit("Snakefile", version, f'{version}\n\npathvars:\n    results="else/where",\n')
    after = commands()
    assert not [line for line in after if "results/" in line]
    assert [line.replace("else/where/", "results/") for line in after] == before
    for told in ("--item-output else/where/extraction/", "--regions else/where/datasets/"):
        assert any(told in line for line in after), told
    done = project.run("-n", "else/where/probing/tiny_lava/clevr/shape.parquet")
    assert "did you mean 'tiny_llava'?" in done.stdout
