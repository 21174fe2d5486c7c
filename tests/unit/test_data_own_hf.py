"""Hugging Face datasets on disk: Parquet and saved Arrow give the same items; classes by name."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_fixture import png, prepare, take

from eyechart.core.errors import UserError

FEATURES = {
    "info": {
        "features": {
            "image": {"_type": "Image"},
            "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
            "question": {"dtype": "string", "_type": "Value"},
        }
    }
}
WHOLE_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [("image", WHOLE_IMAGE), ("label", pa.int64()), ("question", pa.string())],
    metadata={"huggingface": json.dumps(FEATURES)},
)
COLUMNS = {"prompt": "question", "answer": "label"}
ASKED = {"task": "animal", "choices": ["cat", "dog"]}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(first: int, rows: int) -> pa.Table:
    numbers = range(first, first + rows)
    found = [
        {
            "image": {"bytes": png(n), "path": f"{n}.png"},
            "label": [0, 1, -1][n % 3],
            "question": f"What is {n}?",
        }
        for n in numbers
    ]
    return pa.Table.from_pylist(found, SCHEMA)


def shards(folder: Path, name: str = "{split}-{n:05d}-of-{count:05d}.parquet") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, parts in {"train": [(0, 70), (70, 5)], "validation": [(80, 3)]}.items():
        for n, (first, rows) in enumerate(parts):
            path = folder / name.format(split=split, n=n, count=len(parts))
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table(first, rows), path)
    return folder


def save(folder: Path, parts: list[tuple[int, int]], split: str | None) -> Path:
    """Write the same files as ``save_to_disk`` of the datasets library."""
    folder.mkdir(parents=True)
    names = [f"data-{n:05d}-of-{len(parts):05d}.arrow" for n in range(len(parts))]
    for name, (first, rows) in zip(names, parts, strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as out:
            out.write_table(table(first, rows), max_chunksize=50)
    state = {"_data_files": [{"filename": name} for name in names], "_split": split}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps(FEATURES["info"]))
    return folder


def examine(source, out, splits=("train", "validation")):
    take(source, "hf", splits, columns=COLUMNS)
    return prepare("hf", splits, out, **ASKED)


def test_rows_of_all_shards_become_items_and_bytes_become_images():
    items, images = examine(shards(Path("mine/data")).parent, "out")
    assert items.height == images.height == 78
    (row,) = items.filter(item_id="train_000072").to_dicts()
    assert row["prompt"] == "What is 71?"
    assert row["answer"] is None  # -1: the label is not known
    (name,) = row["images"]
    assert Path("data/raw/mine/images", name).read_bytes() == png(71)
    assert items["answer"].drop_nulls().value_counts().sort("answer")["count"].to_list() == [26, 26]
    assert items["split"].value_counts().sort("split")["count"].to_list() == [75, 3]


@pytest.mark.parametrize(
    "name",
    [
        "{split}-{n:05d}-of-{count:05d}-0123abc.parquet",
        "{split}/{n:04d}.parquet",
        "data/{split}/{n:04d}.parquet",
    ],
)
def test_all_shard_names_give_the_same_items(name):
    expected = examine(shards(Path("mine/data")).parent, "expected")
    for found, wanted in zip(examine(shards(Path("other"), name), "out"), expected, strict=True):
        assert found.equals(wanted)


def test_a_dataset_saved_to_disk_gives_the_same_items():
    expected = examine(shards(Path("mine")), "expected")
    save(Path("saved/train"), [(0, 70), (70, 5)], "train")
    save(Path("saved/validation"), [(80, 3)], "validation")
    names = json.dumps({"splits": ["train", "validation"]})
    Path("saved/dataset_dict.json").write_text(names)
    for found, wanted in zip(examine(Path("saved"), "out"), expected, strict=True):
        assert found.equals(wanted)


def test_a_saved_dataset_without_splits_may_have_any_split_name():
    items, _ = examine(save(Path("saved"), [(0, 4)], None), "out", ["all"])
    assert set(items["split"]) == {"all"}
    with pytest.raises(
        UserError, match=r"saved: has neither splits .*, but splits are a, b; give a single name"
    ):
        examine(Path("saved"), "out", ["a", "b"])


def test_a_path_instead_of_bytes_is_relative_to_the_datasets_folder():
    Path("mine/images").mkdir(parents=True)
    Path("mine/images/1.png").write_bytes(png(1))
    rows = [{"image": {"bytes": None, "path": "images/1.png"}, "label": 0, "question": "?"}]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), "mine/train.parquet")
    _, images = examine(Path("mine"), "out", ["train"])
    assert Path(images["path"][0]).samefile("mine/images/1.png")


def test_lists_of_images_and_choices_are_accepted():
    rows = [{"image": [{"bytes": png(n)} for n in (1, 2)], "prompt": "?", "choices": ["A", "B"]}]
    Path("mine").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), "mine/test.parquet")
    take(Path("mine"), "hf", ["test"])
    items, images = prepare("hf", ["test"], task="t")
    assert len(items["images"][0]) == images.height == 2
    assert items["choices"].to_list() == [["A", "B"]]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: (p / "train-00001-of-00002.parquet").unlink(),
         r"mine: split 'train' has 1 of 2 shards; download the dataset again"),
        (lambda p: [f.unlink() for f in p.iterdir()], r"mine: no Parquet .* no saved dataset"),
        (lambda p: cut(p / "train-00001-of-00002.parquet"),
         r"train-00001-of-00002.parquet: truncated or damaged, not a complete Parquet file"),
        (lambda p: p.rename("elsewhere"), r"mine: no such folder, expected a Hugging Face"),
    ],
)  # fmt: skip
def test_shards_that_are_missing_or_damaged_are_reported(damage, words):
    damage(shards(Path("mine")))
    with pytest.raises(UserError, match=words):
        examine(Path("mine"), "out")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_error_mentions_shards_in_subfolders():
    shards(Path("mine/english/data"))
    with pytest.raises(UserError, match=r"found in english/data: give one of these as path"):
        examine(Path("mine"), "out")


def test_truncated_missing_and_filtered_arrow_files_are_reported():
    folder = save(Path("saved"), [(0, 70), (70, 5)], "train")
    cut(folder / "data-00001-of-00002.arrow")
    with pytest.raises(UserError, match=r"data-00001-of-00002.arrow: truncated or damaged"):
        examine(folder, "out", ["train"])
    (folder / "data-00000-of-00002.arrow").unlink()
    with pytest.raises(UserError, match=r"data-00000-of-00002.arrow: no such file"):
        examine(folder, "out", ["train"])
    state = {"_data_files": [], "_indices_data_files": [{"filename": "indices.arrow"}]}
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(UserError, match=r"saved: .* call flatten_indices\(\) and save it again"):
        examine(folder, "out", ["train"])


def test_an_unknown_split_or_invalid_image_bytes_are_reported():
    with pytest.raises(UserError, match=r"no split 'valid'; did you mean 'validation'\?"):
        examine(shards(Path("mine")), "out", ["valid"])
    rows = [{"image": {"bytes": b"<html>"}, "label": 0, "question": "?"}]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), "mine/other.parquet")
    with pytest.raises(UserError, match=r"other.parquet: row 1: not a complete image .*b'<html>'"):
        examine(Path("mine"), "out", ["other"])
