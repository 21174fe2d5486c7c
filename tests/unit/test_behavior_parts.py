"""Joined answers equal the answers of one job, for any number of parts."""

import pyarrow.parquet as pq
import pytest
from test_behavior_answers import Asker, item

from eyechart.behavior import answer_items, join_answers

CONDITIONS = ["sighted", "noise", "swapped"]
ROWS = [
    item(f"{task}{n}", [f"p00{n % 4}"], ["red", "the cube"], answer="red", task=task)
    for task in "tu"
    for n in range(6)
]
ROWS += [
    item("both", [f"p00{n}", f"p00{n + 1}"], ["red", "the"], item_id=f"both{n}") for n in (0, 2)
]
ROWS += [item("open", ["p004"], [])]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Asker(tmp_path_factory.mktemp("parts"))


def join(out, pieces, so_far=()):
    """Join the tables of some folders into another; return their rows by condition."""
    files = [[str(folder / f"{c}.parquet") for folder in pieces] for c in CONDITIONS]
    outputs = [out / f"{c}.parquet" for c in CONDITIONS]
    words = ["--parts", *(f for own in files for f in own), "--so-far", *map(str, so_far)]
    join_answers.main([*words, "--outputs", *map(str, outputs)])
    return {c: pq.read_table(path) for c, path in zip(CONDITIONS, outputs, strict=True)}


@pytest.mark.parametrize("parts", [2, 3, 8])
@pytest.mark.parametrize("model", ["llava", "clip"])
def test_joined_parts_equal_the_answers_of_one_job(project, tmp_path, parts, model):
    """This includes swapped images and noise."""
    rows = [row for row in ROWS if model == "llava" or len(row["images"]) == 1]
    asked = {"conditions": CONDITIONS, "model": model, "scoring": "pmi"}
    once = project.answer(tmp_path / "once", rows, **asked)
    pieces = [tmp_path / f"{n:03d}" for n in range(parts)]
    found = [
        project.answer(piece, rows, part=(n, parts), **asked) for n, piece in enumerate(pieces)
    ]
    of_images = [{tuple(r["shown"]) for r in one["sighted"]} for one in found]
    shown = [images for own in of_images for images in own]
    assert len(shown) == len(set(shown))  # items about the same images stay together
    assert sum(map(bool, of_images)) == min(parts, len(set(shown)))
    for condition, table in join(tmp_path / "joined", pieces).items():
        joined = table.to_pylist()
        assert len(joined) == len(once[condition]) == len(rows)
        for one, other in zip(joined, once[condition], strict=True):
            for numbers in ("log_probability", "unconditional"):
                expected = other.pop(numbers)
                assert one.pop(numbers) == (expected and pytest.approx(expected, abs=1e-5))
            assert one == other


def test_a_part_that_has_no_item_loads_no_model(project, tmp_path, monkeypatch):
    monkeypatch.setattr(answer_items, "load", None)
    found = project.answer(tmp_path, ROWS[:1], conditions=CONDITIONS, part=(0, 2))
    assert found == {condition: [] for condition in CONDITIONS}


def test_a_look_in_parts_adds_to_the_look_before(project, tmp_path):
    looks = {"looks": {"counts": [2, 4], "look": 1}, "so_far": [], "decided": []}
    asked = {"conditions": CONDITIONS, "rows": ROWS[:12]}
    first = project.answer(tmp_path / "1", look=looks, **asked)
    looks["looks"] = {"counts": [2, 4], "look": 2}
    pieces = [tmp_path / f"2/{n}" for n in range(2)]
    for n, piece in enumerate(pieces):
        project.answer(piece, look=looks, part=(n, 2), **asked)
    before = [tmp_path / f"1/{c}.parquet" for c in CONDITIONS]
    joined = join(tmp_path / "2/joined", pieces, before)
    looks["so_far"] = before
    at_once = project.answer(tmp_path / "2/once", look=looks, **asked)
    for condition, table in joined.items():
        note = pq.read_schema(tmp_path / f"2/once/{condition}.parquet").metadata
        assert table.schema.metadata == note and note
        ids = [row["item_id"] for row in table.to_pylist()]
        assert ids == [row["item_id"] for row in at_once[condition]]
        assert len(ids) > len(first[condition]) > 0
