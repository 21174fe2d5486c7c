"""Every fault in a user's data raises a one-sentence error with file and row."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_fixture import HEADER, ROOT, ROWS, TABLE, make_table, prepare, take

from eyechart.core.errors import UserError
from eyechart.data.own import import_local as take_own


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def edited(place, column, value, rows=ROWS):
    rows = [list(row) for row in rows]
    rows[place][HEADER.index(column)] = value
    return rows


def refused(words, source=TABLE, layout="table", **settings):
    with pytest.raises(UserError, match=words) as raised:
        take(source, layout, **settings)
    assert "\n" not in str(raised.value)
    assert not (ROOT / "acquired.json").exists()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (edited(0, "image", "gone.png"), r"line 2: image 'gone.png' is missing in mine"),
        (edited(0, "image", ""), r"line 2: image is empty, expected an image"),
        (edited(0, "image", "../secret.png"), r"line 2: image '../secret.png' is not in mine"),
        (edited(0, "image", "/etc/hostname"), r"line 2: image '/etc/hostname' is not in mine"),
        (edited(2, "choices", "[one, two]"), r"line 4: choices is '\[one, two\]', which is no"),
        (edited(2, "choices", "one||two"), r"line 4: choices .*, which contains an empty string"),
    ],
)  # fmt: skip
def test_an_import_error_gives_the_row(rows, words):
    make_table(rows)
    refused(f"^mine/questions.csv: {words}")


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        (edited(1, "answer", "nO"), {}, r"line 3: answer 'nO' is not among the choices; did you"),
        (edited(1, "answer", '["yes", "no"]'), {}, r"line 3: 2 answers to a question with choices"),
        (edited(1, "prompt", ""), {}, r"line 3: prompt is empty; name its column"),
        (edited(1, "choices", "no"), {}, r"line 3: choices are 'no', expected at least two"),
        (edited(1, "choices", "no|no"), {}, r"line 3: choices are 'no', 'no', expected at least"),
        (edited(1, "task", ""), {}, r"line 3: task is empty; name its column in columns.task"),
        (edited(1, "task", "?!"), {}, r"line 3: task is '\?!', expected a name with a letter"),
        (ROWS, {"answer_as": "letter"}, r"line 2: answer is 'yes', expected a letter up to b"),
        (ROWS, {"answer_as": "index"}, r"line 2: answer is 'yes', expected a number from 0 to 1"),
    ],
)
def test_a_preparation_error_gives_the_row(rows, settings, words):
    take(make_table(rows))
    with pytest.raises(UserError, match=f"^mine/questions.csv: {words}"):
        prepare(**settings)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        ("item_id", [["x"], ["x"]], r"line 3: item_id 'x' is already in mine/questions.csv: l"),
        (
            "group",
            [["g"], [""]],
            r"line 3: group is empty, but .*line 2 has one; give one to every",
        ),
        ("group", [["g"], ["h"]], r"line 3: group is 'h', but it shares an image with .*line 2"),
        ("pair", [["p"], [""]], r"line 2: pair 'p' has a single row, expected at least two"),
    ],
)
def test_rows_that_contradict_each_other_are_reported(header, rows, words):
    make_table([["a.png", "?", "t", *row] for row in rows], ["image", "prompt", "task", header])
    take(TABLE)
    with pytest.raises(UserError, match=words):
        prepare()


def test_labels_must_belong_to_one_image_and_agree():
    header = ["image", "prompt", "task", "kind"]
    columns = {"labels": {"animal": "kind"}}
    make_table([["a.png", "?", "t", "cat"], ["a.png", "?", "t", "dog"]], header)
    take(TABLE, columns=columns)
    with pytest.raises(UserError, match=r"label 'animal' of image 'a.png' is 'dog', but 'cat'"):
        prepare()
    make_table([["a.png|sub/b.png", "?", "t", "cat"]], header)
    take(TABLE, columns=columns)
    with pytest.raises(UserError, match=r"line 2: has 2 images and the label 'animal', but"):
        prepare()


def test_an_image_in_two_splits_is_reported():
    header = ["image", "prompt", "task", "split"]
    make_table([["a.png", "?", "t", "train"], ["a.png", "?", "t", "val"]], header)
    take(TABLE, splits=["train", "val"])
    with pytest.raises(UserError, match=r"line 3: image 'a.png' is in split 'val', but in 'train"):
        prepare(splits=["train", "val"])


def test_a_missing_column_or_split_is_reported_with_the_nearest_name():
    make_table(header=["imge", *HEADER[1:]])
    refused(r"csv: column 'image' \(columns.image\) is missing; did you mean 'imge'\?")
    refused(r"column 'foto' \(columns.image\) is missing; There", columns={"image": "foto"})
    columns = {"image": "imge", "prompt": "promt"}
    refused(r"'promt' \(columns.prompt\) is missing; did you mean 'prompt'", columns=columns)
    columns = {"image": "imge", "labels": {"animal": "kind"}}
    refused(r"column 'kind' \(columns.labels.animal\) is missing", columns=columns)
    refused(r"columns: unknown key 'anwser'; did you mean 'answer'\?", columns={"anwser": "x"})
    refused(
        r"columns.labels: 'Big Cat' is not a valid task name",
        columns={"labels": {"Big Cat": "kind"}},
    )
    make_table()
    refused(r"has neither splits nor a split column, but splits are a, b", splits=["a", "b"])
    make_table([["a.png", "?", "train"]], ["image", "prompt", "split"])
    refused(r"questions.csv: no split 'trian'; did you mean 'train'\?", splits=["trian"])


def test_an_empty_folder_and_a_folder_around_the_dataset_are_refused():
    Path("photos/deep").mkdir(parents=True)
    Path("photos/deep/notes.txt").write_text("none")
    refused(r"^photos: no images in this folder, expected files that", Path("photos"), "folder")
    refused(r"^nowhere: no such folder", Path("nowhere"), "folder")
    refused(r"^\.: contains data/raw/mine, where its images would be linked", Path(), "folder")


def test_a_table_that_is_missing_or_of_another_kind_is_refused():
    refused(r"^mine/questions.csv: no such file")
    Path("mine").mkdir()
    refused(r"^mine: a folder, expected a file", Path("mine"))
    Path("mine/questions.xlsx").write_text("")
    refused(
        r"table suffix is '.xlsx'; .*\.csv, \.jsonl, \.parquet, \.tsv", Path("mine/questions.xlsx")
    )
    refused(r"layout is 'tabel'; did you mean 'table'\?", layout="tabel")


@pytest.mark.parametrize("name", ["a.jpg", "b.png"])
def test_a_file_that_is_not_an_image_is_reported_during_preparation(name):
    Path("photos").mkdir()
    Path("photos", name).write_text("no picture at all")
    take(Path("photos"), "folder")
    with pytest.raises(UserError, match=rf"^photos/{name}: not a complete image .*allow_missing"):
        prepare("folder", prompt="?", task="t")


def spoil(kind):
    """Make one image of the table unreadable in the given way."""
    broken = Path("mine/sub/b.png")
    if kind == "missing":
        broken.unlink()
    elif kind == "truncated":
        broken.write_bytes(broken.read_bytes()[:-30])
    else:  # a TIFF of a kind that Pillow does not know
        broken.write_bytes(UNKNOWN_TIFF)


# 1 x 1 px, five 16-bit samples per pixel
UNKNOWN_TIFF = bytes.fromhex(
    "49492a0008000000060000010300010000000100000001010300010000000100000002010300010000001000000006"
    "01030001000000020000001101040001000000080000001501030001000000050000000000000000"
)


@pytest.mark.parametrize("kind", ["missing", "truncated", "unknown"])
def test_unreadable_images_are_reported_by_the_users_name_or_omitted_and_counted(kind, caplog):
    rows = [*ROWS, ["a.png", "Is it red?", "yes|no", "no", "Other"]]
    make_table(rows)
    spoil(kind)
    with pytest.raises(UserError) as told:
        take(TABLE)
        prepare()
    assert "mine/questions.csv: line 3: image 'sub/b.png'" in str(told.value)
    assert "0x7f" not in str(told.value)
    receipt = take(TABLE, allow_missing=True)
    with caplog.at_level("WARNING"):
        items, images = prepare(allow_missing=True)
    assert "1 images are missing or cannot be read, so 2 of 5 rows are omitted" in caplog.text
    assert "mine/questions.csv: line 3: image 'sub/b.png'" in caplog.text
    assert items["item_id"].to_list() == ["all_000001", "all_000003", "all_000005"]
    assert images["image_id"].to_list() == ["a.png"]
    assert receipt["splits"]["all"]["questions"] == 5


def test_the_other_row_of_a_pair_is_left_out_too_and_no_row_at_all_is_an_error():
    header = [*HEADER, "pair"]
    make_table([[*ROWS[0], "x"], [*ROWS[1], "x"], [*ROWS[2], ""]], header)
    spoil("truncated")
    take(TABLE, allow_missing=True)
    assert prepare(allow_missing=True)[0]["item_id"].to_list() == ["all_000003"]
    make_table([[*ROWS[1], ""]], header)
    spoil("truncated")
    take(TABLE, allow_missing=True)
    with pytest.raises(UserError, match=r"1 images .* so 1 of 1 rows are omitted"):
        prepare(allow_missing=True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("image,prompt\na.png,caf\xe9\n".encode("latin-1"), r"line 2: byte 0xe9 is not UTF-8"),
        ("image,prompt\n".encode("utf-16"), r"line 1: byte 0x00 is not UTF-8 text; save the file"),
        (b"image,prompt\na.png,one, two\n", r"line 2: 3 cells, expected 2 \(image, prompt\);"),
        (b"image,prompt\na.png\n", r"line 2: 1 cells, expected 2"),
        (b'image,prompt\na.png,"no end\n', r"line 2: not CSV \(unexpected end of data\)"),
        (b"image,prompt,image\na.png,?,b.png\n", r"line 1: column 'image' occurs twice"),
        (b"image,,prompt\na.png,,?\n", r"line 1: column '' has no name in the header"),
        (b"image,prompt\n", r"no rows, expected a header and at least one row"),
        (b"", r"no rows, expected a header"),
    ],
)  # fmt: skip
def test_a_broken_csv_is_a_one_sentence_error(data, words):
    make_table()
    TABLE.write_bytes(data)
    refused(f"^mine/questions.csv: {words}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"image": "a.png"}\n{"image": \n', r"line 2: not valid JSON \(Expecting value, column"),
        ('\n["a.png"]\n', r"line 2: '\[\"a.png\"\]' is not a JSON object, expected"),
        ("\n", r"no rows, expected at least one line of JSON"),
        ('{"image": 3}', r"line 1: the image is of type int, expected a path, bytes,"),
        ('{"image": "a.png", "prompt": {"en": "?"}}', r"line 1: prompt is a dict"),
    ],
)  # fmt: skip
def test_a_broken_jsonl_is_a_one_sentence_error(text, words):
    make_table()
    path = Path("mine/questions.jsonl")
    path.write_text(text, encoding="utf-8")
    refused(f"^mine/questions.jsonl: {words}", path)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_a_truncated_parquet_is_a_one_sentence_error(keep):
    Path("mine").mkdir()
    path = Path("mine/questions.parquet")
    pq.write_table(pa.table({"image": ["a.png"] * 1000, "prompt": ["?"] * 1000}), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    refused(r"^mine/questions.parquet: truncated or damaged, not a complete Parquet file", path)


def test_a_misplaced_receipt_and_another_layout_are_refused():
    make_table()
    argv = ["--dataset", "mine", "--source", str(TABLE), "--root", str(ROOT), "--output", "x.json"]
    with pytest.raises(
        UserError, match=r"--output is x.json, expected data/raw/mine/acquired.json"
    ):
        take_own.main([*argv, "--settings", '{"layout": "table", "splits": ["all"]}'])
    take(TABLE)
    with pytest.raises(UserError, match=r"layout is 'table', expected 'hf'"):
        prepare("hf")
