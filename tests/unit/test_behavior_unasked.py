"""Items that a model cannot answer are left out and listed; marks in a question are text."""

import numpy as np
import pytest
from test_behavior_answers import ROWS, SHOWN, Asker, item

from eyechart.core.errors import UserError
from eyechart.tables.responses import read_left_out


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Asker(tmp_path_factory.mktemp("project"))


def test_items_that_a_model_cannot_answer_are_omitted_and_counted(project, tmp_path, caplog):
    two = [item(name, ["p000", "p001"], ["x", "y"]) for name in ("v", "w")]
    long = item("long", ["p000"], ["x", "y"]) | {"prompt": "so " * 200}
    found = project.answer(tmp_path, [*ROWS, *two, long], "clip", SHOWN)
    assert {tuple(r["item_id"] for r in rows) for rows in found.values()} == {("a", "b", "c", "e")}
    reasons = read_left_out(tmp_path / "sighted.parquet")
    assert set(reasons) == {"v", "w", "long"}
    assert reasons["v"] == reasons["w"] == "2 images, an encoder compares 1 with its texts"
    assert reasons["long"].startswith("its text is longer than the")
    assert "item 'v' is not answered: 2 images" in caplog.text
    read = project.answer(tmp_path / "vlm", [*ROWS, *two], conditions=["sighted"])["sighted"]
    assert [r["item_id"] for r in read] == ["a", "b", "c", "e", "v", "w"]
    assert read_left_out(tmp_path / "vlm" / "sighted.parquet") == {}


def test_thirty_choices_are_scored_as_texts_and_refused_as_letters(project, tmp_path):
    many = [item("m", ["p000"], [f"w{n}" for n in range(30)])]
    (row,) = project.answer(tmp_path, many, conditions=["sighted"], prompt="{question}")["sighted"]
    assert len(row["log_probability"]) == 30
    assert row["predicted"] in many[0]["choices"]
    for changes in ({"scoring": "letter"}, {"scoring": "mean"}):
        with pytest.raises(UserError, match="item 'm': 30 choices, at most 26 letters"):
            project.answer(
                tmp_path, many, conditions=["sighted"], prompt="{question} {options}", **changes
            )


def test_an_image_placeholder_in_a_question_is_text(project, tmp_path):
    asked = [
        item(f"m{n}", ["p000"], ["a picture", "a table"]) | {"prompt": text}
        for n, text in enumerate(["What is the tag <image>?", "Is </s> written?", "What is it?"])
    ]
    rows = project.answer(tmp_path, asked, conditions=["sighted"])["sighted"]
    assert [row["prompt"] for row in rows] == [one["prompt"] for one in asked]
    assert all(np.isfinite(row["log_probability"]).all() for row in rows)
    assert rows[0]["log_probability"] != rows[2]["log_probability"]
