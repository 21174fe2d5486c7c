"""Coverage of tokens by regions, roles, controls, and the results of planted attention."""

import json

import attention_fixture as fixture
import numpy as np
import pyarrow as pa
import pytest

from eyechart.attention.rows import Tables
from eyechart.attention.trace_items import main
from eyechart.core.errors import UserError
from eyechart.inference.chosen_items import choose_items, drawn
from eyechart.inference.marks import Mark, check_inside, marks_by_item, marks_of, moved, partners
from eyechart.tables.attention import ATTENTION
from eyechart.tables.items import ITEMS
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.regions import box, point, roles_of, whole_image, write_regions
from eyechart.tables.token_boxes import coverage

ITEM = {"item_id": "i", "task": "t", "group": "g", "images": ["p"], "choices": ["x", "y"]}
ITEM |= {"answer": "y", "meta": "{}"}


def grid(rows, columns, step, view=0, left=0.0, top=0.0):
    """Return the positions of a view of square tokens."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    x, y = left + column * step, top + row * step
    return np.stack([np.full_like(x, view), row, column, x, y, x + step, y + step], axis=1).astype(
        np.float32
    )


PLACES = grid(4, 6, 10.0)  # an image of 60 x 40


def row_of(weights, shares, image=None):
    """Return the rows of one block and head, given its attention over all tokens."""
    image = np.ones(len(weights), dtype=bool) if image is None else image
    tables = Tables("m", "d")
    tables.add_attention(ITEM, {"lm.0": np.float32(weights)[None]}, image, shares)
    return {row["region"]: row for row in tables.whole("attention", ATTENTION).to_pylist()}


def test_a_box_covers_tokens_by_overlapping_area():
    found = coverage(PLACES, box("A", 5, 10, 20, 25)).reshape(4, 6)
    expected = np.zeros((4, 6))
    expected[1, :2] = 0.5, 1.0
    expected[2, :2] = 0.25, 0.5
    np.testing.assert_allclose(found, expected)


def test_a_region_covers_as_much_area_as_it_has():
    draw = np.random.default_rng(0)
    for _ in range(20):
        (left, right), (top, bottom) = (np.sort(draw.uniform(0, most, 2)) for most in (60, 40))
        covered = coverage(PLACES, box("A", left, top, right, bottom)).sum()
        assert covered * 100 == pytest.approx((right - left) * (bottom - top))
    assert coverage(PLACES, whole_image("A", 60, 40)).sum() == 24


def test_a_point_covers_one_token_distributed_over_its_neighbours():
    found = coverage(PLACES, point("REF", 10, 15)).reshape(4, 6)
    np.testing.assert_allclose(found[1, :2], 0.5)
    assert found.sum() == pytest.approx(1)
    assert coverage(PLACES, point("REF", 15, 15)).argmax() == 7


def test_a_point_covers_a_token_of_each_view_that_shows_it():
    both = np.concatenate([grid(1, 1, 60.0), grid(2, 2, 10.0, view=1, left=20, top=20)])
    assert coverage(both, point("A", 25, 25)).tolist() == pytest.approx([1, 1, 0, 0, 0])
    assert coverage(both, point("A", 5, 5)).tolist() == pytest.approx([1, 0, 0, 0, 0])


def test_nothing_is_covered_outside_all_tokens():
    nowhere = np.full((3, 7), np.nan, dtype=np.float32)
    assert coverage(nowhere, box("A", 0, 0, 9, 9)).sum() == 0
    assert coverage(grid(2, 2, 5.0, left=30), point("A", 2, 2)).sum() == 0


def test_uniform_attention_has_a_ratio_of_one_for_any_region():
    shares = [
        (Mark(region, 0, "right"), coverage(PLACES, region))
        for region in (box("A", 3, 4, 41, 17), point("B", 33, 21), whole_image("C", 60, 40))
    ]
    image = np.r_[np.zeros(6, dtype=bool), np.ones(24, dtype=bool)]
    rows = row_of(np.full(30, 1 / 30), shares, image)
    assert [rows[name]["ratio"] for name in ("A", "B", "C")] == pytest.approx([1, 1, 1])
    assert rows[""]["ratio"] == pytest.approx(1)
    assert rows[""]["mass"] == pytest.approx(24 / 30)


def test_planted_attention_gives_its_mass_and_ratio():
    weights = np.zeros(30)
    weights[:6] = 0.1  # attention on words
    weights[6 + 7] = 0.3  # attention on the token at (10..20, 10..20)
    weights[6 + 8] = 0.1
    image = np.arange(30) >= 6
    marks = {"A": box("A", 10, 10, 20, 20), "B": box("B", 15, 10, 25, 20), "C": point("C", 55, 35)}
    rows = row_of(
        weights, [(Mark(r, 0, "right"), coverage(PLACES, r)) for r in marks.values()], image
    )
    assert rows["A"]["image_mass"] == pytest.approx(0.4)
    assert rows["A"]["mass"] == pytest.approx(0.3)
    assert rows["A"]["area"] == pytest.approx(1 / 24)
    assert rows["A"]["ratio"] == pytest.approx(0.75 * 24)
    assert rows["B"]["mass"] == pytest.approx(0.2)
    assert rows["C"]["mass"] == 0
    assert rows["C"]["ratio"] == 0


def test_roles_follow_the_letters():
    assert roles_of(ITEM) == {"REF": "reference", "A": "wrong", "B": "right"}
    lettered = {**ITEM, "meta": json.dumps({"letters": {"A": "y", "B": "x"}})}
    assert roles_of(lettered) == {"REF": "reference", "A": "right", "B": "wrong"}


def test_a_moved_mark_keeps_its_relative_position():
    mark = moved(Mark(box("A", 10, 20, 30, 40), 0, "right"), [(100, 200)], [(50, 100)])
    assert mark.control
    assert mark.region[2:] == (5, 10, 15, 20)


@pytest.mark.parametrize("place", [(64, 5), (5, 48), (-1, 5), (float("nan"), 5)])
def test_a_point_outside_the_image_is_an_error(tmp_path, place):
    data = fixture.build_dataset(tmp_path)
    rows = read_table(data.regions).to_pylist()
    rows[2] |= dict(zip(("left", "top", "right", "bottom"), (*place, *place), strict=True))
    write_regions(data.regions, rows)
    items = choose_items(data.items, 9, 7)
    images = read_table(data.images).to_pylist()
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in images}
    with pytest.raises(
        UserError, match=r"item 'depth_order_0' is at .*within its image of 64 x 48"
    ):
        marks_by_item(items, data.regions, sizes, 7)


def test_a_box_that_extends_beyond_its_image_is_an_error():
    with pytest.raises(UserError, match="expected to lie within its image of 60 x 40"):
        check_inside(Mark(box("A", 0, 0, 61, 40), 0, "right"), [(60, 40)], "i")
    check_inside(Mark(box("A", 0, 0, 60, 40), 0, "right"), [(60, 40)], "i")


def test_a_region_on_an_image_that_is_not_shown_is_an_error(tmp_path):
    data = fixture.build_dataset(tmp_path)
    rows = read_table(data.regions).to_pylist()
    rows[0]["image_id"] = "other"
    write_regions(data.regions, rows)
    with pytest.raises(UserError, match="image 'other', expected one of the item's"):
        marks_of(data.regions, choose_items(data.items, 9, 7))


def test_a_partner_is_of_the_same_task_and_of_another_group(tmp_path):
    items = choose_items(fixture.build_dataset(tmp_path).items, 9, 7)
    by_id = {item["item_id"]: item for item in items}
    found = partners(items, 7)
    assert set(found) == set(by_id)
    for own, other in found.items():
        assert by_id[own]["task"] == by_id[other]["task"]
        assert by_id[own]["group"] != by_id[other]["group"]
    assert partners(items, 7) == found
    assert partners([{**item, "group": "one"} for item in items], 7) == {}


def test_items_are_drawn_by_seed_from_as_many_groups_as_possible():
    items = [{**ITEM, "item_id": f"{n}", "group": f"{n % 3}"} for n in range(12)]
    first = drawn(items, 3, 1)
    assert {item["group"] for item in first} == {"0", "1", "2"}
    assert drawn(items[::-1], 3, 1) == first
    assert drawn(items, 3, 2) != first
    assert len(drawn(items, 99, 1)) == 12


def test_only_items_that_can_be_scored_are_traced(tmp_path):
    row = {**ITEM, "group_split": "test", "prompt": "?"}
    rows = [
        {**row, "item_id": "good"},
        {**row, "item_id": "open", "choices": []},
        {**row, "item_id": "unknown", "answer": "z"},
        {**row, "item_id": "blind", "images": []},
        {**row, "item_id": "train", "group_split": "train"},
        {**row, "item_id": "which", "meta": '{"form": "which_image"}'},
    ]
    path = tmp_path / "items.parquet"
    write_table(path, pa.Table.from_pylist(rows, ITEMS))
    assert [item["item_id"] for item in choose_items(path, 9, 7)] == ["good"]
    write_table(path, pa.Table.from_pylist(rows[1:], ITEMS))
    with pytest.raises(UserError, match="no usable item"):
        choose_items(path, 9, 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": 3}, "unknown field 'item'; did you mean 'items'"),
        ({"items": 0}, "items: 0, expected a whole number of at least 1"),
        ({"top": -1}, "top: -1"),
        ({"prompt": "{asked}"}, "has a field other than"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(UserError, match=message):
        main(["--settings", json.dumps(fixture.SETTINGS | change)])
