"""Regions of an item's object, in CLEVR, COCO, the six tasks and users' own data."""

import json
from pathlib import Path

import coco_fixture as coco
import own_fixture as own
import polars as pl
import pytest

from eyechart.core.errors import UserError
from eyechart.data.layouts.clevr import prepare as clevr
from eyechart.data.layouts.clevr.programs import referent
from eyechart.tables.regions import BOX, POINT, box, point, referents, whole_image

SCENE = {
    "size": (480, 320),
    "objects": [
        {"color": "red", "size": "large", "pixel_coords": [100, 50, 10.5]},
        {"color": "blue", "size": "small", "pixel_coords": [475, 200, 10.5]},
        {"color": "red", "size": "small", "pixel_coords": [240, 300, 8.0]},
    ],
    "relationships": {"left": [[], [0, 2], [0]], "right": [[1, 2], [], [1]]},
}


def program(*steps):
    """Return a chain of functions from ``name:value``; each uses the output of the one before."""
    nodes = []
    for n, step in enumerate(steps):
        name, _, value = step.partition(":")
        values = [value] if value else []
        nodes.append({"function": name, "inputs": [n - 1] if n else [], "value_inputs": values})
    return nodes


SMALL_RED = ("scene", "filter_size:small", "filter_color:red", "unique")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((*SMALL_RED, "query_color"), 2),
        (("scene", "filter_color:blue", "unique", "relate:left", "filter_size:large", "unique",
          "query_size"), 0),
        ((*SMALL_RED, "same_color", "unique", "query_size"), 0),
        ((*SMALL_RED, "relate:right", "exist"), None),
        (("scene", "filter_color:red", "count"), None),
        (("scene", "query_color"), None),
    ],
)  # fmt: skip
def test_the_referent_is_what_the_last_unique_returns(steps, expected):
    assert referent(program(*steps), SCENE) == expected


def clevr_rows(scene, *, items=8):
    shown = {"images": ["p"]}
    rows = [{"item_id": f"p_{n}", **shown} for n in range(items)] + [{"item_id": "count", **shown}]
    programs = {row["item_id"]: program(*SMALL_RED, "query_color") for row in rows}
    programs["count"] = program("scene", "count")
    return clevr.region_rows({"p": scene}, rows, programs, "clevr", 7)


def test_questions_about_one_object_have_its_region_and_another_objects():
    rows = clevr_rows(SCENE)
    assert {row["item_id"] for row in rows} == {f"p_{n}" for n in range(8)}
    assert {row["image_id"] for row in rows} == {"p"}
    own = [row for row in rows if row["name"] == "REF"]
    other = [row for row in rows if row["name"] == "OTHER"]
    assert len(own) == len(other) == 8
    assert len({row["left"] for row in own}) == 1
    assert {row["left"] for row in other} == {100 - 35, 475 - 17.5}  # both others are drawn
    assert clevr_rows(SCENE) == rows


def test_the_box_of_an_official_scene_comes_from_size_depth_and_camera():
    # 0.7 units at depth 10.5, with a 35 mm lens and a 32 mm sensor: 35 of 480 pixels
    large = clevr.place(SCENE, 0, "REF")
    assert large == box("REF", 65, 15, 135, 85)
    small = clevr.place(SCENE, 1, "REF")
    assert small == box("REF", 457.5, 182.5, 480, 217.5)  # cut off at the image's edge
    flat = {**SCENE, "objects": [{"size": "large", "pixel_coords": [100, 50]}]}
    assert clevr.place(flat, 0, "REF") == point("REF", 100.5, 50.5)
    drawn = {**SCENE, "objects": [{**SCENE["objects"][0], "bbox": [40, 29, 30, 32]}]}
    assert clevr.place(drawn, 0, "REF") == box("REF", 40, 29, 70, 61)


def test_for_a_single_object_the_other_region_is_the_farthest_corner():
    rows = clevr_rows({**SCENE, "objects": [dict(SCENE["objects"][2])]})
    other = next(row for row in rows if row["name"] == "OTHER")
    half = 0.35 * 35 / 32 * 480 / 8  # the object is at (240, 300), cut off at the lower edge
    assert [other[edge] for edge in ("left", "top")] == [480 - 2 * half, 0]
    assert other["bottom"] == pytest.approx(20 + half)
    assert box("REF", 0, 0, 300, 300).elsewhere(480, 320) == [box("OTHER", 300, 20, 480, 320)]
    assert box("REF", 0, 0, 480, 320).elsewhere(480, 320) == []  # there is no room next to it
    assert point("REF", 1, 1).elsewhere(480, 320) == [point("OTHER", 479, 319)]


def test_an_item_of_coco_has_the_boxes_of_its_category_and_of_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    things = {
        1: [coco.thing(1, 3, [2, 4, 10, 6], number=1), coco.thing(1, 3, [30, 20, 30, 12], number=2),
            coco.thing(1, 1, [0, 0, 5, 5], number=3), coco.thing(1, 77, [9, 9, 0, 4], number=4)],
        2: [coco.thing(2, 1, [1, 1, 8, 8], number=5)],
    }  # fmt: skip
    coco.acquire(coco.write_split(Path("there"), "val2017", things))
    items, _ = coco.prepare()
    rows = pl.read_parquet("out/regions.parquet")
    categories = {i["item_id"]: json.loads(i["meta"]).get("category") for i in items.to_dicts()}
    found = {}
    for row in rows.iter_rows(named=True):
        assert row["shape"] == BOX
        edges = tuple(row[edge] for edge in ("left", "top", "right", "bottom"))
        found.setdefault(row["item_id"], {})[row["name"]] = edges
    image = "val2017_000000000001"
    dogs = {"REF": (2, 4, 12, 10), "REF2": (30, 20, 48, 32), "OTHER": (0, 0, 5, 5)}
    people = [{"REF": (0, 0, 5, 5), "OTHER": dogs[name]} for name in ("REF", "REF2")]
    assert found[f"{image}_counting_dog"] == dogs
    assert found[f"{image}_counting_person"] in people
    assert found["val2017_000000000002_position_left_person"] == {
        "REF": (1, 1, 9, 9),
        "OTHER": (40, 24, 48, 32),  # no other object: the farthest corner
    }
    for item, category in categories.items():  # none without the object, or if its box has no area
        there = {"1": {"dog", "person"}, "2": {"person"}}[item.split("_")[1][-1]]
        assert (item in found) == (category in there)


TABLE = [
    ("image", "prompt", "answer", "x", "y", "where"),
    ("a.png", "which?", "1", "3", "4.5", "1, 2, 6, 5"),
    ("a.png", "which?", "2", "5", "1", "[2 2 3 3]"),
    ("b.png", "which?", "1", "", "", ""),
]
CHOICES = {"choices": ["1", "2"], "task": "which"}


def own_regions(columns, table=TABLE):
    folder = Path("mine")
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(("a.png", "b.png")):
        (folder / name).write_bytes(own.png(number))
    lines = ["\t".join(row) for row in table]
    (folder / "mine.tsv").write_text("\n".join(lines))
    own.take("mine/mine.tsv", columns=columns)
    own.prepare(**CHOICES)
    return pl.read_parquet("out/regions.parquet").to_dicts()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_mapped_columns_give_the_region(here):
    rows = own_regions({"x": "x", "y": "y"})
    assert [(r["item_id"], r["name"], r["shape"], r["left"], r["bottom"]) for r in rows] == [
        ("all_000001", "OTHER", POINT, 5, 1),
        ("all_000001", "REF", POINT, 3, 4.5),
        ("all_000002", "OTHER", POINT, 3, 4.5),
        ("all_000002", "REF", POINT, 5, 1),
    ]


def test_one_column_may_hold_boxes_and_no_column_holds_none(here):
    rows = own_regions({"region": "where"})
    own_box = next(r for r in rows if r["item_id"] == "all_000001" and r["name"] == "REF")
    assert [own_box[edge] for edge in ("left", "top", "right", "bottom")] == [1, 2, 6, 5]
    assert own_regions({}) == []  # a column x need not be a position


@pytest.mark.parametrize(
    ("cells", "columns", "said"),
    [
        (("9", "900", ""), {"x": "x", "y": "y"}, r"line 2: point REF at \(9, 900\) does not lie"),
        (("", "", "1,2,1,4"), {"region": "where"}, r"box REF at \(1, 2, 1, 4\) has no area on"),
        (("", "", "1,2,900,9"), {"region": "where"}, r"box REF at .* does not lie on a.png, which"),
        (("", "", "left"), {"region": "where"}, r"line 2: where is left, expected x, y or"),
        (("", "", "1,2,3"), {"region": "where"}, r"where is 1, 2, 3, expected x, y or"),
        (("3", "", ""), {"x": "x", "y": "y"}, r"line 2: x, y is 3, , expected x, y or left, top"),
        (("", "", ""), {"x": "x"}, r"columns: the region is given by x, expected region alone"),
    ],
)  # fmt: skip
def test_an_impossible_region_in_user_data_is_a_one_sentence_error(here, cells, columns, said):
    table = [TABLE[0], ("a.png", "which?", "1", *cells), *TABLE[2:]]
    with pytest.raises(UserError, match=said):
        own_regions(columns, table)


ITEM = {"choices": ["a cup", "a bed"], "answer": "a bed", "meta": "{}"}


def test_the_referent_of_a_vision_centric_task_is_its_reference_or_its_choices():
    first, second = box("A", 1, 1, 5, 5), box("B", 6, 6, 9, 9)
    on_canvas = {"A": ("c", first), "B": ("c", second)}
    centers = (point("A", 3, 3), point("B", 7.5, 7.5))
    expected = {"referent": ("c", (first, second)), "referent_center": ("c", centers)}
    assert referents(on_canvas, ITEM) == expected
    ref = point("REF", 3, 3)
    assert referents({"REF": ("c", ref), **on_canvas}, ITEM) == {
        "referent": ("c", (ref,)),
        "referent_center": ("c", (ref,)),
        "other_object": ("c", (first,)),  # the wrong choice
    }
    apart = {name: (name, whole_image(name, 9, 9)) for name in "ABC"}
    assert referents(apart, ITEM) == {}  # choices on three images have no common region
