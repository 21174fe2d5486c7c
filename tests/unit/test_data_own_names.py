"""File names are data, whatever they contain, and the split of rows is stratified."""

import os
from pathlib import Path

import polars as pl
import pytest
from mmvp_fixture import draw, write_rows
from own_fixture import HEADER, TABLE, png, prepare, take


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


ODD = ["a b.png", "x{y}.png", "{dataset}.png", "left|right.png", "[1].png", "$HOME.png", "~.png"]
ODD += [
    "it's.png",
    'a"b.png',
    "写真.png",
    "été.png",
    "new\nline.png",
    "-rf.png",
    "*.png",
    "&amp;.png",
]


@pytest.mark.parametrize("name", [*ODD, b"caf\xe9.png"])
@pytest.mark.parametrize("folder", ["photos", "my {photos} ~ [a-z]*"])
def test_any_file_name_is_data(name, folder):
    Path(folder).mkdir()
    (Path(folder) / os.fsdecode(name)).write_bytes(png(3))
    take(Path(folder), "folder")
    items, images = prepare("folder", prompt="What?", task="what")
    shown = "caf\\xe9.png" if isinstance(name, bytes) else name
    assert items["images"].to_list() == [[shown]]
    assert items["item_id"].to_list() == [shown]
    assert Path(images["path"][0]).read_bytes() == png(3)
    assert (images["width"][0], images["height"][0]) == (6, 5)


@pytest.mark.parametrize("name", ODD)
def test_a_cell_that_names_a_file_is_one_path_whatever_it_contains(name):
    Path("mine").mkdir()
    (Path("mine") / name).write_bytes(png(3))
    write_rows(TABLE, HEADER, [[name, "Is it {question}?", "{a}|b", "{a}", "t"]])
    take(TABLE)
    items, _ = prepare()
    assert items["images"].to_list() == [[name]]
    assert (items["prompt"][0], items["answer"][0]) == ("Is it {question}?", "{a}")


def test_the_split_is_balanced_in_every_answer_and_never_divides_a_group():
    rows = []
    for n in range(90):
        draw(Path(f"mine/{n // 2}.png"), n // 2)  # two rows share an image
        answer = "rare" if n // 2 % 15 == 0 else ("yes", "no")[n // 2 % 2]
        rows.append([f"{n // 2}.png", f"Is it {n % 2}?", "yes|no|rare", answer, "t"])
    write_rows(TABLE, HEADER, rows)
    take(TABLE)
    items, images = prepare(test_share=1 / 3)
    by_group = items.group_by("group").agg(pl.col("group_split", "answer").unique())
    assert by_group["group_split"].list.len().to_list() == [1] * 45
    tested = by_group.explode("answer").filter(pl.col("group_split").list.first() == "test")
    counts = dict(tested["answer"].value_counts().iter_rows())
    assert counts["rare"] == 1  # out of three groups
    assert {counts["yes"], counts["no"]} == {7}  # out of 21 groups each
    assert set(images["group_split"].value_counts().iter_rows()) == {("train", 30), ("test", 15)}
    again, _ = prepare(test_share=1 / 3, out="again")
    assert again.equals(items)
