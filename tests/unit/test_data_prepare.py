"""CLEVR's tables: correct answers and labels, undivided groups, equal bytes, errors."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from clevr_fixture import make_clevr, make_receipt, random_scene, read, write
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.data import preparation
from eyechart.data.layouts.clevr import layout as clevr_layout
from eyechart.data.layouts.clevr import prepare as clevr_prepare
from eyechart.data.layouts.clevr import tasks as clevr_tasks
from eyechart.data.preparation import group_split

COUNTS = {"train": 30, "val": 15}
VAL_SCENES = "scenes/CLEVR_val_scenes.json"
VAL_QUESTIONS = "questions/CLEVR_val_questions.json"
VAL_IMAGE, NEXT_IMAGE = (f"images/val/CLEVR_val_00000{n}.png" for n in (3, 4))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = make_clevr(Path("data/raw/clevr"), COUNTS, seed=5)
    make_receipt(root, COUNTS)
    return root


def prepare(root, splits=("train", "val"), seed=7, out="out", test_share=0.25):
    out = Path(out)
    argv = ["--dataset", "clevr", "--receipt", str(root / "acquired.json"), "--seed", str(seed)]
    settings = {"splits": list(splits), "test_share": test_share}
    argv += ["--settings", json.dumps(settings)]
    argv += ["--items", str(out / "items.parquet"), "--images", str(out / "images.parquet")]
    argv += ["--regions", str(out / "regions.parquet")]
    clevr_prepare.main(argv)
    return pl.read_parquet(out / "items.parquet"), pl.read_parquet(out / "images.parquet")


def edit(path, change):
    value = read(path)
    change(value)
    write(path, value)


def rename(record, old, new):
    record[new] = record.pop(old)


def test_the_six_tasks_hold_every_question_with_its_answer_among_its_choices(root):
    items, _ = prepare(root)
    expected = {"color": 8, "shape": 3, "material": 2, "size": 2, "number": 11, "boolean": 2}
    for task, choices in expected.items():
        rows = items.filter(task=task)
        assert rows.height == 45  # the fixture has one question of each task per image
        assert rows["choices"].list.n_unique().unique().to_list() == [choices]
        assert rows.select(pl.col("answer").is_in(pl.col("choices")).all()).item()
    asked = {
        (split, q["image_filename"], q["question"]): q["answer"]
        for split in COUNTS
        for q in read(root / f"questions/CLEVR_{split}_questions.json")["questions"]
    }
    for row in items.iter_rows(named=True):
        filename = f"CLEVR_{row['images'][0]}.png"
        assert asked[row["split"], filename, row["prompt"]] == row["answer"]
        assert row["type"] == row["prompt"]
        assert row["group"] == row["images"][0] == row["item_id"].rsplit("_", 1)[0]


def test_tables_are_sorted_by_unique_ids_and_a_rerun_writes_the_same_bytes(root):
    items, images = prepare(root, splits=("val", "train"))
    first = [Path("out", name).read_bytes() for name in ("items.parquet", "images.parquet")]
    prepare(root, splits=("val", "train"))
    assert first == [Path("out", n).read_bytes() for n in ("items.parquet", "images.parquet")]
    for ids in (items["item_id"].to_list(), images["image_id"].to_list()):
        assert ids == sorted(set(ids))
    assert "val_000012_q03" in items["item_id"]


def test_meta_describes_the_program_and_asks_what_the_images_drawn_answer(root, monkeypatch):
    monkeypatch.setattr(preparation, "ANSWERING", 10)
    items, images = prepare(root)
    asked = sorted({json.loads(m).get("asks") for m in items["meta"]} - {None})
    assert images.drop_nulls([f"answer/{question}" for question in asked]).height == 20
    metas = items.filter(task="color")["meta"].unique().to_list()
    assert [json.loads(meta) for meta in metas] == [
        {"question_family_index": 0, "program_length": 2, "last_function": "query_color"}
    ]


def test_image_labels_equal_brute_force_on_random_scenes():
    for seed in range(300):
        scene = random_scene(np.random.default_rng(seed), "val", seed)
        things = scene["objects"]
        labels = clevr_tasks.image_labels(scene)
        assert list(labels) == clevr_tasks.IMAGE_TASKS
        assert labels["object_count"] == str(len(things))
        for name, values in clevr_tasks.ATTRIBUTES.items():
            numbers = {v: sum(thing[name] == v for thing in things) for v in values}
            for value in values:
                assert labels[f"has_{value}"] == ("yes" if numbers[value] else "no")
            winners = [v for v in values if numbers[v] == max(numbers.values())]
            assert labels[f"majority_{name}"] == (winners[0] if len(winners) == 1 else None)


def test_the_nearest_object_has_none_in_front_of_it():
    for seed in range(300):
        scene = random_scene(np.random.default_rng(seed), "val", seed)
        front = scene["relationships"]["front"]
        (nearest,) = [t for t, others in zip(scene["objects"], front, strict=True) if not others]
        assert clevr_tasks.image_type(scene) == f"{nearest['shape']} {nearest['color']}"


def test_an_empty_scene_has_labels_and_a_type():
    scene = {"objects": [], "directions": {"front": [0, -1, 0]}}
    labels = clevr_tasks.image_labels(scene)
    assert labels["object_count"] == "0"
    assert labels["has_red"] == "no"
    assert labels["majority_size"] is None
    assert clevr_tasks.image_type(scene) == "nothing"


def test_images_are_described_as_stored_on_disk(root):
    _, images = prepare(root)
    hashes = {e["path"]: e["sha256"] for e in read(root / "acquired.json")["files"]}
    for row in images.iter_rows(named=True):
        with Image.open(row["path"]) as image:
            assert image.size == (row["width"], row["height"]) == (16, 12)
        assert row["path"] == f"data/raw/clevr/images/{row['split']}/CLEVR_{row['image_id']}.png"
        assert row["sha256"] == hashes[str(Path(row["path"]).relative_to(root))]


def test_no_group_is_on_both_sides(root):
    items, images = prepare(root)
    sides = pl.concat([items.select("group", "group_split"), images.select("group", "group_split")])
    assert sides.unique().height == images.height
    assert set(images["group_split"]) == {"train", "test"}


def test_group_split_does_not_depend_on_other_splits_or_row_order(root):
    _, both = prepare(root)
    _, alone = prepare(root, splits=("val",), out="alone")
    expected = both.filter(split="val").select("image_id", "group_split")
    assert alone.select("image_id", "group_split").equals(expected)
    for name in (VAL_SCENES, VAL_QUESTIONS):
        edit(root / name, lambda value: random.Random(1).shuffle(value[list(value)[1]]))
    _, shuffled = prepare(root, splits=("val",), out="shuffled")
    assert shuffled.equals(alone)


def test_group_split_has_the_requested_share_and_depends_on_the_seed():
    names = [f"val_{n:06d}" for n in range(4000)]
    sides = {s: [group_split(n, "clevr", s, 0.25) for n in names] for s in (1, 2)}
    for side in sides.values():
        # 5 binomial standard deviations: sqrt(4000 * 0.25 * 0.75) = 27.4
        assert abs(Counter(side)["test"] - 1000) < 137
    assert sides[1] != sides[2]
    assert set(sides[1]) == {"train", "test"}


def test_programs_and_answers_of_the_generator_are_accepted(root):
    def as_generator(value):
        for question in value["questions"]:
            for node in question["program"]:
                node["type"] = node.pop("function")
                node["side_inputs"] = node.pop("value_inputs")
            answer = question["answer"]
            boolean = {"yes": True, "no": False}.get(answer, answer)
            question["answer"] = int(answer) if answer.isdigit() else boolean

    expected, _ = prepare(root)
    edit(root / VAL_QUESTIONS, as_generator)
    items, _ = prepare(root, out="generator")
    assert items.equals(expected)


def test_equal_nodes_of_programs_are_one_object(root):
    questions = clevr_layout.read_questions(root, "val")
    nodes = [node for question in questions for node in question["program"]]
    assert [node["function"] for node in nodes[:2]] == ["scene", "query_color"]
    assert len({id(node) for node in nodes}) == len({str(node) for node in nodes})


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            VAL_SCENES,
            lambda v: rename(v["scenes"][4]["objects"][0], "color", "colour"),
            ["scene 4: object 0: field 'color' is missing", "did you mean 'colour'?"],
        ),
        (
            VAL_SCENES,
            lambda v: v["scenes"][2].pop("image_filename"),
            ["scene 2: field 'image_filename' is missing"],
        ),
        (VAL_SCENES, lambda v: v["scenes"][2].pop("directions"), ["field 'directions' is missing"]),
        (VAL_SCENES, lambda v: v.pop("scenes"), ["field 'scenes' is missing"]),
        (
            VAL_SCENES,
            lambda v: v["scenes"][1]["objects"][0].update(shape="cone"),
            ["scene 1: object 0: shape is 'cone'", "cube, cylinder, sphere"],
        ),
        (
            VAL_SCENES,
            lambda v: v["scenes"][1].update(image_index=0),
            ["scene 1: image_index is already used by an earlier scene"],
        ),
        (
            VAL_SCENES,
            lambda v: v["scenes"][1].update(image_filename="../secret.png"),
            ["scene 1: image_filename is '../secret.png', expected a plain file name"],
        ),
        (
            VAL_QUESTIONS,
            lambda v: v["questions"][7].update(image_filename="CLEVR_val_999999.png"),
            ["question 7: image_filename is 'CLEVR_val_999999.png', which no scene"],
        ),
        (
            VAL_QUESTIONS,
            lambda v: v["questions"][7].update(answer="gren"),
            ["question 7: answer is 'gren'; did you mean 'green'?"],
        ),
        (
            VAL_QUESTIONS,
            lambda v: v["questions"][7].pop("answer"),
            ["question 7: field 'answer' is missing"],
        ),
        (
            VAL_QUESTIONS,
            lambda v: v["questions"][7]["program"][0].pop("function"),
            ["question 7: program is", "expected nodes with a 'function'"],
        ),
    ],
)  # fmt: skip
def test_a_fault_in_a_list_is_reported(root, name, change, words):
    edit(root / name, change)
    with pytest.raises(UserError) as raised:
        prepare(root)
    for part in [name, *words]:
        assert part in str(raised.value)
    assert not Path("out").exists()


def test_a_broken_list_is_reported(root):
    (root / VAL_SCENES).write_bytes((root / VAL_SCENES).read_bytes()[:500])
    with pytest.raises(UserError, match=r"CLEVR_val_scenes.json: not valid JSON"):
        prepare(root)


def test_a_missing_image_is_reported_with_the_remedy(root):
    (root / VAL_IMAGE).unlink()
    with pytest.raises(UserError, match=f"{VAL_IMAGE}: image is missing; restore it, or delete"):
        prepare(root)


@pytest.mark.parametrize(("other", "end"), [(VAL_IMAGE, -20), (VAL_IMAGE, 0), (NEXT_IMAGE, None)])
def test_a_truncated_or_replaced_image_is_reported(root, other, end):
    (root / VAL_IMAGE).write_bytes((root / other).read_bytes()[:end])
    with pytest.raises(UserError, match=f"{VAL_IMAGE}: image was truncated or altered"):
        prepare(root)


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"no picture"])
def test_an_image_that_was_broken_on_arrival_is_reported(root, damage):
    (root / VAL_IMAGE).write_bytes(damage((root / VAL_IMAGE).read_bytes()))
    make_receipt(root, COUNTS)
    with pytest.raises(UserError, match=f"{VAL_IMAGE}: not a complete image"):
        prepare(root)


def test_a_split_that_was_not_acquired_is_refused_with_the_available_ones(root):
    with pytest.raises(UserError, match=r"split 'vall' was not acquired; did you mean 'val'\?"):
        prepare(root, splits=("train", "vall"))


def test_the_unanswered_test_split_is_refused(root):
    receipt = read(root / "acquired.json")
    receipt["splits"]["test"] = {"images": 3, "questions": 3}
    write(root / "acquired.json", receipt)
    with pytest.raises(UserError, match=r"released without scenes and answers; use train and val"):
        prepare(root, splits=("test",))


def test_a_receipt_of_another_layout_or_without_a_field_is_refused(root):
    edit(root / "acquired.json", lambda receipt: receipt.update(layout="coco"))
    with pytest.raises(UserError, match=r"layout is 'coco', expected 'clevr'"):
        prepare(root)
    edit(root / "acquired.json", lambda receipt: receipt.pop("files"))
    with pytest.raises(UserError, match=r"field 'files' is missing"):
        prepare(root)
    (root / "acquired.json").unlink()
    with pytest.raises(UserError, match=r"acquired.json: no such file"):
        prepare(root)
