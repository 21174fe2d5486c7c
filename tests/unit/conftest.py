"""Fixture for tests of the configuration: the full demo's config, checked and with defaults."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from eyechart.plan.config.check import check

ROOT = Path(__file__).resolve().parents[2]
FULL = "config/presets/full_demo.yaml"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the full demo's configuration; the working folder is the project."""
    monkeypatch.chdir(ROOT)
    return check(yaml.safe_load(Path(FULL).read_text()), [FULL])
