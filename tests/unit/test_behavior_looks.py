"""Items answered in steps: each step answers its own items and adds them to earlier answers."""

import pyarrow as pa
import pytest
from test_behavior_answers import Asker, item

from eyechart.behavior import answer_items
from eyechart.tables.parquet import write_table
from eyechart.tables.verdict import SKILLS


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Asker(tmp_path_factory.mktemp("looks"))


def test_a_step_adds_only_its_own_items_and_no_model_is_loaded_for_none(
    project, tmp_path, monkeypatch
):
    """Responses in steps equal those of a single job, including swapped images."""
    rows = [item(f"i{n}", [f"p00{n % 5}"], ["red", "the"], answer="red") for n in range(5)]
    rows += [item(f"u{n}", [f"p00{n % 5}"], ["red", "the"], answer="red", task="u")
             for n in range(5)]  # fmt: skip
    once = project.answer(tmp_path / "once", rows, conditions=["sighted", "swapped"])
    before, found = [], []
    for look, open_tasks in ((1, None), (2, ["t"]), (3, [])):
        classes = tmp_path / f"{look}.parquet"
        write_table(classes, pa.Table.from_pylist(
            [{"dataset": "d", "skill": t, "verdict": "undecided"} for t in open_tasks or []], SKILLS
        ))  # fmt: skip
        if open_tasks == []:
            monkeypatch.setattr(answer_items, "load", None)
        step = {"looks": {"counts": [2, 4, 5], "look": look}, "so_far": before}
        step["decided"] = [classes] * (look > 1)
        out = tmp_path / f"look{look}"
        found.append(project.answer(out, rows, conditions=["sighted", "swapped"], look=step))
        before = [out / "sighted.parquet", out / "swapped.parquet"]
    ids = [[row["item_id"] for row in one["sighted"]] for one in found]
    assert [len(one) for one in ids] == [4, 6, 6] and ids[1] == sorted(set(ids[1]))
    assert set(ids[0]) < set(ids[1]) and ids[1] == ids[2]
    assert sum(name.startswith("t") or name.startswith("i") for name in ids[2]) == 4
    for condition, rows in found[2].items():
        same = {row["item_id"]: row for row in once[condition]}
        for row in rows:
            expected = same[row["item_id"]]
            assert row["shown"] == expected["shown"] and row["predicted"] == expected["predicted"]
            assert row["log_probability"] == pytest.approx(expected["log_probability"], abs=1e-4)
