"""What several tests of the configuration share: the demo's, merged as Snakemake merges it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give the merged configuration; the project's folder is the working one."""
    monkeypatch.chdir(ROOT)
    config = yaml.safe_load(Path("config/tiny.yaml").read_text())
    own = yaml.safe_load(Path("config/config.yaml").read_text())
    return {**config, **own, "datasets": {**config["datasets"], **own["datasets"]}}
