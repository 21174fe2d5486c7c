"""What `make demo` left in this folder: the page, the verdicts, and nothing more to do."""

import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml
from browser import browse

pytestmark = pytest.mark.demo

ROOT = Path(__file__).resolve().parents[2]
MODELS = yaml.safe_load((ROOT / "config/config.yaml").read_text())["models"]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_verdict(model: str) -> None:
    values = pl.read_parquet(ROOT / f"results/verdict/{model}.parquet")
    classes = pl.read_parquet(ROOT / f"results/verdict/{model}.classes.parquet")
    assert len(classes), "the table has no skill"
    assert classes["verdict"].null_count() == 0
    assert set(values["skill"]) == set(classes["skill"])


def test_the_page_opens_without_a_console_message(tmp_path: Path) -> None:
    markup, console = browse(ROOT / "results/report/index.html", tmp_path / "profile")
    assert console == []
    assert 'id="verdict"' in markup
    assert all(model in markup for model in MODELS)


def test_the_same_command_again_has_nothing_to_do() -> None:
    done = subprocess.run(
        ["make", "demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout
