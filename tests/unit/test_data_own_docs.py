"""The page on users' own data: its examples run as printed, and it names every column."""

import re
from pathlib import Path

import pytest
import yaml
from mmvp_fixture import draw
from own_fixture import prepare, take

from eyechart.data.own.entries import KEYS, NAMES
from eyechart.data.own.sources import IMAGE_SUFFIXES

PAGE = (Path(__file__).resolve().parents[2] / "docs/own_data.md").read_text(encoding="utf-8")
TAKEN = ("columns", "images")
PREPARED = ("prompt", "choices", "task", "answer_as", "test_share")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def examine(dataset):
    layout, splits = dataset["layout"], ["all"]
    take(Path(dataset["path"]), layout, splits, **{k: dataset[k] for k in TAKEN if k in dataset})
    return prepare(layout, splits, **{k: dataset[k] for k in PREPARED if k in dataset})


def test_the_table_example_gives_the_documented_result():
    draw(Path("mine/beach.png"), 1)
    draw(Path("mine/port/ferry.png"), 2)
    Path("mine/questions.csv").write_text(*blocks("csv"), encoding="utf-8")
    items, images = examine(yaml.safe_load(blocks("yaml")[0])["datasets"]["mine"])
    assert set(items["task"]) == {"presence", "counting", "reading", "comparing"}
    assert items["answer"].to_list() == ["yes", "2", "no", "MS Aurora", "first"]
    assert items["choices"].to_list()[1] == ["0", "1", "2"]
    assert dict(images.select("image_id", "label/weather").iter_rows()) == {
        "beach.png": "sunny",
        "port/ferry.png": "foggy",
    }
    assert items["group"].n_unique() == 1  # the last row shows both images


def test_the_folder_example_gives_a_question_per_image():
    draw(Path("photos/1.jpg"), 1)
    items, _ = examine(yaml.safe_load(blocks("yaml")[1])["datasets"]["photos"])
    assert items.select("prompt", "task", "group_split").row(0) == (
        "What is in this picture?",
        "photos",
        "test",
    )


def test_the_page_lists_every_layout_column_and_image_format():
    for name in (*NAMES, *KEYS, *TAKEN, *PREPARED):
        assert f"`{name}`" in PAGE, name
    assert " ".join(IMAGE_SUFFIXES) in PAGE
