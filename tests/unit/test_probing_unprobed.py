"""A task that cannot be probed has a row with the reason; rare classes are omitted and counted."""

import numpy as np
import pyarrow.compute as pc
import pytest
import test_probing_step
from test_probing_step import TRAIN, N
from test_probing_step import _run as run
from test_probing_step import _world as world_of

from eyechart.tables.probes import PROBES


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ({"answers": ["cube"] * N}, "only one class is in at least 3 training groups"),
        ({"answers": [f"word {i}" for i in range(N)]}, "no class is in at least 3"),
        ({"answers": ["cube", None] * (N // 2)}, "only one class is in"),
        ({"answers": [None] * N}, "no class is in at least 3"),
        ({"sides": ["train"] * N}, "0 groups are in the test set, expected at least 5"),
        ({"sides": ["train"] * (N - 8) + ["val"] * 8}, "4 groups are in the test set"),
        ({"sides": ["val"] * N}, "no class is in at least 3"),
        (
            {"inputs": {f"lm.{n}/referent": np.full((N, 5), np.nan) for n in (0, 1)}},
            "every address and span lacks the region of some example",
        ),
    ],
)
def test_a_task_that_cannot_be_probed_has_one_row_with_the_reason(
    tmp_path, monkeypatch, world, reason
):
    if "inputs" in world:
        monkeypatch.setattr(test_probing_step, "COLUMNS", {})
    metrics, predictions = run(world_of(tmp_path, **world))
    (row,) = metrics.to_pylist()
    assert (row["kind"], row["model"], row["task"]) == ("majority", "m", "shape")
    assert reason in row["reason"]
    assert row["accuracy"] is None
    assert metrics.schema.equals(PROBES)
    assert predictions.num_rows == 0


def test_classes_in_too_few_training_groups_are_omitted_and_counted(tmp_path):
    answers = ["cube", "ball"] * (N // 2)
    answers[0] = answers[TRAIN] = "hail"  # one training and one test example
    answers[2:6] = ["snow"] * 4  # four examples in two groups of the training set
    answers[-1] = "fog"  # only in the test set
    answers[8] = None
    metrics, predictions = run(world_of(tmp_path, answers=answers))
    rows = metrics.to_pylist()
    assert rows[0]["left_out"] == "fog (1), hail (2), snow (4)"
    assert {row["left_out"] for row in rows[1:]} == {None}
    assert {(r["n_classes"], r["n_train"], r["n_test"]) for r in rows} == {
        (2, TRAIN - 6, N - TRAIN - 2)
    }
    task = predictions.filter(pc.equal(predictions["kind"], "task"))
    assert set(task["truth"].to_pylist()) == {"cube", "ball"}
