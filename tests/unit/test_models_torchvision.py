"""A torchvision build that does not match torch is a one-sentence error before loading."""

import sys
from pathlib import Path

import pytest
import torch

from eyechart.core.errors import UserError
from eyechart.models import load


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write an importable package torchvision, and unload the real one."""
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "torchvision").mkdir()
    info = tmp_path / "torchvision-9.1+cu999.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 9.1+cu999\n")
    return tmp_path / "torchvision/__init__.py"


def test_mismatched_builds_are_reported(package: Path) -> None:
    """torchvision itself fails like this with a CPU-only torch."""
    package.write_text("raise RuntimeError('operator torchvision::nms\\ndoes not exist')\n")
    with pytest.raises(UserError) as found:
        load.load(None, Path("nowhere"), None)
    assert str(found.value) == (
        f"torchvision 9.1+cu999 does not work with torch {torch.__version__} (operator "
        "torchvision::nms does not exist); install both for the same device, CPU or CUDA, as in "
        "docs/own_models.md"
    )


def test_matching_builds_or_no_torchvision_are_not_an_error(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package.write_text("")
    load.check_torchvision()
    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.setattr(load.importlib.util, "find_spec", lambda name: None)
    load.check_torchvision()


def test_a_lack_of_a_resource_is_not_blamed_on_the_builds(package: Path) -> None:
    package.write_text("raise ImportError('lib.so: cannot open it: Too many open files')\n")
    with pytest.raises(ImportError, match="Too many open files"):
        load.check_torchvision()
