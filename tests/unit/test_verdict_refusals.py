"""Refusals of the verdict step: tables that do not match one another, and invalid settings."""

import json

import polars as pl
import pytest
from verdict_fixture import (
    OUT,
    READOUTS,
    TASK,
    add,
    change,
    flags,
    with_probes,
    write_model,
    write_probes,
)

from eyechart.core.errors import UserError
from eyechart.tables.verdict import parts
from eyechart.verdict import decide

SIGHTED = "results/behavior/responses/m/drawn/sighted.parquet"


def unknown_item(root):
    change(root / f"{READOUTS}.predictions.parquet", item_id=pl.lit("z"))


def other_answer(root):
    change(root / f"{READOUTS}.predictions.parquet", answer=pl.lit("Z"))


def other_task(root):
    change(root / f"{READOUTS}.predictions.parquet", task=pl.lit("art_style"))


def twice(root):
    path = root / f"{READOUTS}.predictions.parquet"
    add(path, pl.read_parquet(path).head(1))


def unknown_seen(root):
    change(root / f"{READOUTS}.predictions.parquet", seen=pl.lit("canvass"))


def nothing_shared(root):
    change(root / f"{READOUTS}.predictions.parquet", keep=pl.col("item_id") < f"{TASK}-0005")
    for condition in ("sighted", "blank"):
        path = root / f"results/behavior/responses/m/drawn/{condition}.parquet"
        change(path, keep=pl.col("item_id") >= f"{TASK}-0005")


def no_common_readout(root):
    change(
        root / f"{READOUTS}.predictions.parquet",
        pl.when(address="connector").then(pl.lit("gram")).otherwise("readout").alias("readout"),
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unknown_item, "item 'z' is not among the dataset's items"),
        (other_answer, "has another answer in items.parquet"),
        (other_task, "has another task in items.parquet"),
        (twice, "is predicted twice"),
        (unknown_seen, "seen is 'canvass'; did you mean 'canvas'"),
        (nothing_shared, "answers, readouts and probes have no item in common"),
        (no_common_readout, "no readout exists at all stages (encoder: points; connector: gram"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(tmp_path, spoil, said):
    words = write_model(tmp_path, "works", n=10)
    spoil(tmp_path)
    with pytest.raises(UserError) as error:
        decide.main(words)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not any(path.exists() for path in parts(tmp_path / OUT))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encoder": "vision.9"}, "evaluated at vision.9, but m on drawn"),
        ({"blind": "sighted"}, "blind is 'sighted', expected one of blank, noise"),
        ({"alpha": 5}, "alpha is 5, expected a number between 0 and 1"),
        ({"margin": 0}, "margin is 0, expected a number between 0 and 1"),
    ],
)
def test_invalid_settings_are_refused(tmp_path, settings, said):
    words = write_model(tmp_path, "works", n=10)
    at = words.index("--settings") + 1
    words[at] = json.dumps(json.loads(words[at]) | settings)
    with pytest.raises(UserError, match=said):
        decide.main(words)


def test_paths_of_another_model_or_without_items_are_refused(tmp_path):
    words = write_model(tmp_path, "works", n=10)
    with pytest.raises(UserError, match="belongs to model 'm', expected 'n'"):
        decide.main(["--model", "n", *words[2:]])
    lost = flags(tmp_path, answers=[tmp_path / SIGHTED])
    with pytest.raises(UserError, match="the items of dataset 'drawn' were not given"):
        decide.main(lost)


def test_probes_of_other_items_at_one_address_are_refused(tmp_path):
    words = write_model(tmp_path, "works", n=10, task="color")
    path = write_probes(tmp_path, "color", 0.5, 10)
    change(path.with_suffix(".predictions.parquet"),
           keep=(pl.col("address") == "") | (pl.col("id") != "color-0003"))  # fmt: skip
    words = [w for w in words if "readout/m" not in w]
    with pytest.raises(UserError, match="have other items than the majority"):
        decide.main(with_probes(words, path))
