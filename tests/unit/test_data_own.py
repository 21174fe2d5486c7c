"""A user's folder or table gives the same items and images in every file format."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mmvp_fixture import draw
from own_fixture import HEADER, ROOT, ROWS, make_table, png, prepare, take

UNSAFE = "<script>alert('x')</script> & <b>is it red?</b>"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def as_dicts():
    rows = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    for row in rows:
        row["image"] = row["image"].split("|")
        row["choices"] = {"yes|no": ["yes", "no"], "": []}.get(row["choices"], ["1", "2", "3"])
    return rows


def test_a_table_becomes_items_and_images():
    receipt = take(make_table())
    assert receipt["layout"] == "table"
    assert receipt["splits"] == {"all": {"images": 2, "questions": 4}}
    assert (ROOT / "images/sub/b.png").samefile("mine/sub/b.png")
    items, images = prepare()
    assert items["item_id"].to_list() == [f"all_00000{n}" for n in (1, 2, 3, 4)]
    assert items["choices"].to_list() == [["yes", "no"], ["yes", "no"], ["1", "2", "3"], []]
    assert items["answer"].to_list() == ["yes", "no", "3", "the colour"]
    assert items["task"].to_list() == ["colour", "colour", "counting_things", "open"]
    assert items["images"].to_list() == [
        ["a.png"],
        ["sub/b.png"],
        ["a.png"],
        ["a.png", "sub/b.png"],
    ]
    assert json.loads(items["meta"][3]) == {"references": ["the colour"]}
    assert json.loads(items["meta"][0]) == {}
    assert images["image_id"].to_list() == ["a.png", "sub/b.png"]
    assert images["path"][1] == "data/raw/mine/images/sub/b.png"


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "tsv"])
def test_every_kind_of_table_gives_the_same_items(suffix):
    take(make_table())
    expected = prepare(out="csv")
    path = Path(f"mine/questions.{suffix}")
    if suffix == "jsonl":
        lines = [json.dumps(row) + "\n\n" for row in as_dicts()]
        path.write_text("".join(lines), encoding="utf-8")
    elif suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(as_dicts()), path)
    else:
        path.write_text("\n".join("\t".join(row) for row in [HEADER, *ROWS]).replace('"', '""'))
        cells = path.read_text().replace('[""1"", ""2"", ""3""]', '"[""1"", ""2"", ""3""]"')
        path.write_text("\ufeff" + cells, encoding="utf-8")
    take(path)
    for found, wanted in zip(prepare(out=suffix), expected, strict=True):
        assert found.equals(wanted)


def test_a_folder_is_one_open_question_per_image_without_an_answer():
    draw(Path("photos/2.PNG"), 2)
    draw(Path("photos/deep/er/1.jpg"), 1)
    draw(Path("photos/.thumbnails/1.jpg"), 3)
    Path("photos/notes.txt").write_text("no picture")
    receipt = take(Path("photos"), "folder")
    assert receipt["splits"] == {"all": {"images": 2, "questions": 2}}
    items, images = prepare("folder", prompt="What is here?", task="photos")
    assert items["item_id"].to_list() == images["image_id"].to_list() == ["2.PNG", "deep/er/1.jpg"]
    assert set(items["prompt"]) == {"What is here?"}
    assert items["answer"].to_list() == [None, None]
    assert items["choices"].to_list() == [[], []]
    assert items["meta"].to_list() == ['{"references": []}'] * 2
    items, _ = prepare("folder", prompt="Red?", task="photos", choices=["yes", "no"], out="closed")
    assert items["choices"].to_list() == [["yes", "no"]] * 2
    assert items["answer"].to_list() == [None, None]


def test_columns_are_mapped_and_settings_take_precedence():
    header = ["file", "question", "prompt", "gold", "kind"]
    make_table([["a.png", "Is it red?", "not this", "yes", "c"]], header)
    columns = {"image": "file", "prompt": "question", "answer": "gold", "task": "kind"}
    take(Path("mine/questions.csv"), columns=columns)
    items, _ = prepare(choices=["yes", "no"], task="mine")
    assert items.select("prompt", "answer", "task").row(0) == ("Is it red?", "yes", "mine")
    items, _ = prepare(choices=["yes", "no"], prompt="Red?", out="own")
    assert items.select("prompt", "task").row(0) == ("Red?", "c")


def test_several_columns_of_images_are_one_list_and_empty_cells_are_left_out():
    header = ["one", "two", "prompt", "task"]
    make_table([["a.png", "sub/b.png", "Same?", "t"], ["a.png", "", "Red?", "t"]], header)
    take(Path("mine/questions.csv"), columns={"image": ["one", "two"]})
    items, _ = prepare()
    assert items["images"].to_list() == [["a.png", "sub/b.png"], ["a.png"]]


@pytest.mark.parametrize(
    ("form", "answers"), [("letter", ["a", "(B)", "c."]), ("index", ["0", "1", "2"])]
)
def test_answers_may_be_letters_or_places(form, answers):
    rows = [["a.png", "How many?", "one|two|three", answer, "n"] for answer in answers]
    take(make_table(rows))
    items, _ = prepare(answer_as=form)
    assert items["answer"].to_list() == ["one", "two", "three"]


def test_a_prompt_is_kept_verbatim_even_if_it_is_html():
    take(make_table([["a.png", UNSAFE, "<i>yes</i>|no", "<i>yes</i>", "c"]]))
    items, _ = prepare()
    assert items["prompt"][0] == UNSAFE
    assert items["choices"][0].to_list() == ["<i>yes</i>", "no"]
    assert items["answer"][0] == "<i>yes</i>"


def test_an_open_question_may_have_several_references_and_none():
    rows = [["a.png", "What?", "", '["a cat", "one | two"]', "t"], ["a.png", "Who?", "", "", "t"]]
    take(make_table(rows))
    items, _ = prepare()
    assert items["answer"].to_list() == ["a cat", None]
    assert json.loads(items["meta"][0]) == {"references": ["a cat", "one | two"]}
    assert json.loads(items["meta"][1]) == {"references": []}


def test_rows_that_share_an_image_or_a_pair_are_never_split():
    make_table()
    Path("mine/copy.png").write_bytes(Path("mine/a.png").read_bytes())
    names = [f"{n}.png" for n in range(40)]
    for n, name in enumerate(names):
        draw(Path("mine") / name, 10 + n)
    header = ["image", "prompt", "task", "pair"]
    rows = [[name, "?", "t", f"pair {n // 2}" if n < 4 else ""] for n, name in enumerate(names)]
    shared = [["a.png", "?", "t", ""], ["copy.png", "?", "t", ""], ["copy.png|4.png", "?", "t", ""]]
    take(make_table([*rows, *shared], header))
    items, images = prepare()
    group = {i: g for ids, g in items.select("images", "group").iter_rows() for i in ids}
    assert group["a.png"] == group["copy.png"] == group["4.png"] == "4.png"
    assert group["0.png"] == group["1.png"] != group["2.png"] == group["3.png"]
    assert len(set(group.values())) == 2 + 1 + 35
    assert dict(images.select("image_id", "group").iter_rows()) == group
    sides = pl.concat([items.select("group", "group_split"), images.select("group", "group_split")])
    assert sides.unique().height == len(set(group.values()))
    assert set(items["group_split"]) == {"train", "test"}


def test_groups_and_ids_of_the_table_are_kept():
    header = ["image", "prompt", "task", "group", "item_id", "type"]
    make_table(
        [["a.png", "?", "t", "g1", "second", "x"], ["sub/b.png", "?", "t", "g1", "first", "x"]],
        header,
    )
    take(Path("mine/questions.csv"))
    items, images = prepare()
    assert items["item_id"].to_list() == ["first", "second"]
    assert set(items["group"]) == set(images["group"]) == {"g1"}
    assert set(items["type"]) == set(images["type"]) == {"x"}


def test_labels_of_images_become_image_tasks():
    header = ["image", "prompt", "task", "kind", "damaged"]
    rows = [
        ["a.png", "?", "t", "cat", ""],
        ["a.png", "!", "t", "cat", "yes"],
        ["sub/b.png", "?", "t", "", "no"],
    ]
    make_table(rows, header)
    take(Path("mine/questions.csv"), columns={"labels": {"animal": "kind", "damage": "damaged"}})
    _, images = prepare()
    assert images["label/animal"].to_list() == ["cat", None]
    assert images["label/damage"].to_list() == ["yes", "no"]


def test_a_column_of_splits_chooses_rows():
    header = ["image", "prompt", "task", "split"]
    make_table([["a.png", "?", "t", "train"], ["sub/b.png", "?", "t", "val"],
                ["gone.png", "?", "t", "test"]], header)  # fmt: skip
    receipt = take(Path("mine/questions.csv"), splits=["train", "val"])
    assert receipt["splits"] == {s: {"images": 1, "questions": 1} for s in ("train", "val")}
    items, images = prepare(splits=["val"])
    assert items.select("item_id", "split").row(0) == ("val_000002", "val")
    assert images["image_id"].to_list() == ["sub/b.png"]


def test_images_may_be_in_another_folder_and_have_absolute_paths():
    make_table([[str(Path("mine/a.png").absolute()), "?", "yes|no", "yes", "t"]])
    take(Path("mine/questions.csv"))
    assert prepare()[1]["image_id"].to_list() == ["a.png"]
    Path("lists").mkdir()
    Path("mine/questions.csv").rename("lists/questions.csv")
    take(Path("lists/questions.csv"), images="mine")
    assert prepare()[1]["image_id"].to_list() == ["a.png"]


def test_images_in_the_bytes_of_a_table_are_written_out_once():
    rows = [{"image": {"bytes": png(n % 2), "path": "x.png"}, "prompt": "?"} for n in range(4)]
    Path("mine").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), "mine/questions.parquet")
    take(Path("mine/questions.parquet"))
    items, images = prepare(task="t")
    assert items.height == 4
    assert images.height == 2
    assert sorted(Path(p).read_bytes() for p in images["path"]) == sorted([png(0), png(1)])


def test_importing_and_preparing_again_gives_the_same_bytes():
    first = take(make_table())
    prepare(out="first")
    assert take(Path("mine/questions.csv")) == first
    prepare(out="second")
    for name in ("items.parquet", "images.parquet"):
        assert Path("first", name).read_bytes() == Path("second", name).read_bytes()


def test_empty_spreadsheet_rows_and_columns_are_ignored():
    take(make_table())
    expected = prepare(out="plain")
    lines = Path("mine/questions.csv").read_text().splitlines()
    Path("mine/questions.csv").write_text(
        "\ufeff" + "".join(f"{x},,\r\n" for x in lines) + ",,,,,,\r\n"
    )
    take(Path("mine/questions.csv"))
    for found, wanted in zip(prepare(), expected, strict=True):
        assert found.equals(wanted)


def test_an_image_has_the_common_type_of_its_rows_or_otherwise_its_group():
    header = ["image", "prompt", "task", "type"]
    rows = [["a.png", "?", "t", "x"], ["a.png", "!", "t", "x"], ["sub/b.png", "?", "t", "x"]]
    make_table([*rows, ["sub/b.png", "!", "t", ""]], header)
    take(Path("mine/questions.csv"))
    items, images = prepare()
    assert images["type"].to_list() == ["x", "sub/b.png"]
    assert items["type"].to_list() == ["x", "x", "x", "!"]


def test_unread_images_of_a_folder_are_logged(caplog):
    for name in ("a.png", "b.PNG"):
        draw(Path("photos", name), 1)
    for name in ("c.heic", "d.avif", "e.avif", "notes.txt", ".hidden.svg"):
        Path("photos", name).write_bytes(b"?")
    with caplog.at_level("WARNING"):
        receipt = take(Path("photos"), "folder")
    assert receipt["splits"]["all"]["images"] == 2
    assert "photos: files in unsupported formats are skipped: 2 .avif, 1 .heic" in caplog.text
