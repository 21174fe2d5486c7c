"""The results of `make demo` in this folder: the page, the verdicts, and no remaining jobs."""

import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml
from browser import draw_all, opened

pytestmark = pytest.mark.demo

ROOT = Path(__file__).resolve().parents[2]
MODELS = yaml.safe_load((ROOT / "config/config.yaml").read_text())["models"]


MARGIN = 0.10  # the verdict's default
# The class that each patient must get in the lesioned skill
PATIENTS = {
    "tiny_llava_eyes": "not_encoded",
    "tiny_llava_nerve": "lost_in_connector",
    "tiny_llava_unsaid": "not_verbalised",
}


def classes(model: str) -> pl.DataFrame:
    return pl.read_parquet(ROOT / f"results/verdict/{model}.classes.parquet")


def answers(model: str) -> dict[str, float]:
    values = pl.read_parquet(ROOT / f"results/verdict/{model}.parquet")
    sighted = values.filter(pl.col("stage") == "sighted")
    return dict(sighted.select("skill", "value").iter_rows())


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_verdict(model: str) -> None:
    values = pl.read_parquet(ROOT / f"results/verdict/{model}.parquet")
    found = classes(model)
    assert len(found), "the table has no skills"
    assert found["verdict"].null_count() == 0
    assert set(values["skill"]) == set(found["skill"])
    assert found["n"].min() >= 132


def test_every_verdict_on_the_card_is_decided() -> None:
    given = pl.concat([classes(model) for model in MODELS])["verdict"]
    assert (given == "undecided").mean() <= 1 / 3
    assert given.n_unique() >= 5


def test_interventions_show_where_tiny_llava_reads_colour() -> None:
    (color,) = classes("tiny_llava").filter(pl.col("skill") == "color").to_dicts()
    assert (color["evidence"], color["used_at"]) == ("shown_causally", "connector")
    assert color["unused_at"] == "lm.0, lm.1, lm.2, lm.3"


@pytest.mark.parametrize(("model", "lesion"), PATIENTS.items())
def test_a_patient_has_the_class_of_its_lesion_and_otherwise_the_healthy_models_classes(
    model: str, lesion: str
) -> None:
    """Skills count if they are answered equally well: in grey, many questions are ambiguous."""
    found, healthy = (
        dict(classes(one).select("skill", "verdict").iter_rows()) for one in (model, "tiny_llava")
    )
    assert found.pop("color") == lesion
    mine, theirs = answers(model), answers("tiny_llava")
    kept = {skill for skill in found if mine[skill] > theirs[skill] - MARGIN}
    assert kept or model == "tiny_llava_eyes"
    assert all(found[skill] in (healthy[skill], "undecided") for skill in kept)


def test_the_page_opens_and_draws_without_a_console_message() -> None:
    with opened(ROOT / "results/report/index.html") as (view, console):
        draw_all(view)
        markup = view.content()
    assert console == []
    assert 'id="verdict"' in markup
    assert all(model in markup for model in MODELS)


def test_a_second_run_has_nothing_to_do() -> None:
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
