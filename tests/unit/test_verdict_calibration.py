"""Planted models in all steps: hardly ever a wrong class, and the right one with 300 items."""

import json
import logging

import numpy as np
import polars as pl
import pytest

from eyechart.tables.verdict import CALIBRATION, CLASSES
from eyechart.verdict import calibrate, decide
from eyechart.verdict.planted import SCENARIOS, write_tables

SETTINGS = {"alpha": 0.01, "margin": 0.1, "items": [60, 130, 300], "skills": 200}
LOOKS = [36, 72, 144, 216, 288, 400]
HARD = {"sees nothing, of two choices": 0.9}  # at chance 0.5, absence needs about 340 items


def test_every_class_is_planted():
    assert {name for case in SCENARIOS.values() for name in case.right} == set(CLASSES)
    assert len(SCENARIOS) >= 15


@pytest.mark.parametrize("name", ["works", "sees nothing", "a probe finds it, the answer does not"])
def test_a_scenario_is_measured_through_the_step(name):
    row = calibrate.measure(name, 300, SETTINGS | {"skills": 12}, seed=7)
    assert row["right"] >= 0.8 and row["wrong"] == 0 and row["skills"] == 12
    assert row["right"] + row["undecided"] + row["wrong"] == pytest.approx(1)
    assert 0.85 <= row["coverage"] <= 1
    assert (row["rejected"] is not None) == (name == "sees nothing")


def test_items_that_a_table_lacks_are_logged_once_for_a_dataset(tmp_path, caplog):
    case, output = SCENARIOS["works"], tmp_path / "verdict.parquet"
    rng = np.random.default_rng(7)
    tables = write_tables(tmp_path, "planted", "drawn", case, {"a": 20, "b": 20}, rng)
    next(calibrate.answer_in_steps(tables, [10, 20], tmp_path / "none", 7))
    caplog.set_level(logging.INFO, "eyechart.verdict.assemble")
    decide.main(calibrate.words_of(tables, case, "planted", output, SETTINGS, 7))
    (message,) = caplog.messages
    assert message == (
        "planted on drawn: stages are compared on their common items: a 10 of 20, b 10 of 20"
    )


def test_the_step_writes_a_table_a_page_and_a_figure(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    kept = ("works", "an encoder lacks it")
    monkeypatch.setattr(calibrate, "SCENARIOS", {name: SCENARIOS[name] for name in kept})
    settings = json.dumps(SETTINGS | {"skills": 2, "items": [20], "looks": [10, 20]})
    words = ["--settings", settings, "--seed", "7", "--output", str(tmp_path / "c.parquet")]
    words += ["--page", str(tmp_path / "c.md"), "--figure", str(tmp_path / "c.svg")]
    calibrate.main(words)
    assert pl.read_parquet(tmp_path / "c.parquet").columns == CALIBRATION.names
    page = (tmp_path / "c.md").read_text()
    assert page.count("\n") == 4 and "| works | used |" in page
    assert "| in steps to 20 | items answered in steps |" in page and "| – | – |" in page
    assert "<svg" in (tmp_path / "c.svg").read_text()
    assert caplog.messages == []  # messages on planted models are suppressed


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_wrong_class_is_rare_everywhere_and_300_items_decide(name):
    logging.disable(logging.INFO)
    for n in SETTINGS["items"]:
        row = calibrate.measure(name, n, SETTINGS, seed=7)
        assert row["wrong"] <= 0.02, row
        assert row["coverage"] >= 0.92, row
        assert (row["rejected"] or 0) <= 0.08, row
    assert row["right"] >= HARD.get(name, 0.95), row


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, case in SCENARIOS.items() if case.kind == "vlm"])
def test_answering_in_steps_is_as_accurate_as_300_items_with_far_fewer(name):
    logging.disable(logging.INFO)
    row = calibrate.measure(name, LOOKS[-1], SETTINGS | {"skills": 100}, 7, LOOKS)
    assert row["wrong"] <= 0.02 and row["right"] >= 0.95, row
    open_forever = "undecided" in SCENARIOS[name].right
    assert row["answered"] <= (400 if open_forever else 240), row
