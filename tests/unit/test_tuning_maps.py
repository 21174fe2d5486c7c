"""Attention planted in an adapter is found on the right token after tuning, but not before."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import saliency_fixture as fixture
import yaml
from tiny_models import spec

from eyechart.core.errors import UserError
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.plan import paths
from eyechart.report.files import Inputs
from eyechart.report.mapped_images import mapped_images
from eyechart.report.overlays import DIVERGING, change, colors, over_image
from eyechart.report.sections.tuning.load import changes, read_moved
from eyechart.report.sections.tuning.page import moved, sheet
from eyechart.tables.items import ITEMS
from eyechart.tables.notes import notes_of, write_noted
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.tuning import TUNED_MAPS
from eyechart.tuning import map_attention
from eyechart.tuning.arms import make_arm, save
from eyechart.tuning.region_mass import HiddenError

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
WORD = 20  # a dimension that all words have, but no image token
SLOW = 2  # half of a head's last pair, which rotary positions hardly rotate
SETTINGS = {"maps": 2, "prompt": "{question}", "choices": "text"}
ADAPTERS = ("prompt_2", "lora_lm")


def plant(arm):
    """Let the answer position's queries in the first block match keys of coloured patches."""
    arm.start("maps", 0)
    for name, parameter in arm.parameters.items():
        if "layers.0.self_attn.q_proj.lora_A" in name:
            parameter.data.zero_()[0, WORD] = 200
        elif "layers.0.self_attn.k_proj.lora_A" in name:
            parameter.data.zero_()[0, fixture.READ] = 200
        elif "layers.0.self_attn" in name and ("q_proj" in name or "k_proj" in name):
            parameter.data[SLOW::6, 0] = 1  # a head has 6 dimensions


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Write results with a dataset and adapters, one of which moves attention."""
    root = tmp_path_factory.mktemp("maps") / "results"
    (root / "datasets/mine").mkdir(parents=True)
    fixture.build_data(root / "datasets/mine")
    checkpoint = fixture.build_model(root / "model")
    own = {k: v for k, v in vars(spec("llava", checkpoint)).items() if k != "derived"}
    (root / "llava.yaml").write_text(yaml.safe_dump(own | {"parameters": None}))
    model = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu")).model
    model.get_input_embeddings().weight.data[:, WORD] = 1
    model.save_pretrained(checkpoint)
    for name in ADAPTERS:
        adapter = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu"))
        arm = make_arm(adapter, name, 4, adapter.plain_ids("what is it"))
        (plant if name == "lora_lm" else lambda one: one.start(7))(arm)
        names = {"model": "llava", "dataset": "mine", "task": "kind", "arm": name}
        adapter_file = paths.ADAPTER.at(str(root), training="true-0", file="x", **names)
        save(arm, "llava", (root / adapter_file).parent)
    return root


def run(root, data="mine", /, **changes):
    """Run the step; return its path."""
    names = {"model": "llava", "dataset": "mine", "task": "kind"}
    output = paths.TUNED_MAPS.at(str(root), **names)
    words = ["--model", "llava", "--dataset", "mine", "--task", "kind", "--seed", "7"]
    words += ["--spec", root / "llava.yaml", "--checkpoint", root / "model"]
    for name in ("items", "images", "regions"):
        words += [f"--{name}", root / f"datasets/{data}/{name}.parquet"]
    words += ["--adapters", *sorted((root / "tuning").rglob("adapter_*"))]
    words += ["--settings", json.dumps(SETTINGS | changes), "--output", output]
    map_attention.main([str(word) for word in words])
    return root.parent / output


@pytest.fixture(scope="module")
def maps(root):
    return run(root)


def table(path, **which):
    return pl.DataFrame(read_table(path)).filter(**which).to_dicts()


def test_attention_moves_only_to_the_adapters_token(maps, root):
    regions = {r["item_id"]: r for r in table(root / "datasets/mine/regions.parquet")}
    found = table(maps, arm="lora_lm")
    assert len(found) == 2 and {row["number"] for row in found} == {0}
    for row in found:
        before, after = np.array(row["before"]), np.array(row["after"])
        moved = after - before
        at = int(moved.argmax())
        place = dict(zip(("left", "top", "right", "bottom"), row["places"][at][3:], strict=True))
        assert place == {name: regions[row["item_id"]][name] for name in place}
        np.testing.assert_allclose(before, before[0], rtol=1e-5)  # no queries: uniform
        rest = np.delete(moved, at)
        np.testing.assert_allclose(rest, rest[0], atol=1e-7)
        tokens = round(1 / before[0])
        assert tokens > len(before)
        assert moved[at] > 0.1 and moved[at] == pytest.approx(-(tokens - 1) * rest[0], rel=1e-3)


def test_all_arms_have_the_same_items_and_the_same_attention_before(maps):
    first, second = (table(maps, arm=arm) for arm in ADAPTERS)
    for one, other in zip(first, second, strict=True):
        same = ("item_id", "image_id", "number", "before", "places", "seed")
        assert {n: one[n] for n in same} == {n: other[n] for n in same}
    moved = [np.subtract(row["after"], row["before"]) for row in first]
    assert all((change < 0).all() for change in moved)  # two additional tokens share the attention


def test_items_are_drawn_by_seed_and_larger_samples_are_nested(root, maps):
    kept = {row["item_id"] for row in table(maps)}
    items, regions = (root / f"datasets/mine/{n}.parquet" for n in ("items", "regions"))

    def drawn(most, seed=7, where=regions):
        found = map_attention.mapped_items(items, where, "kind", most, seed)
        return {item["item_id"] for item in found}

    assert drawn(2) == kept and kept < drawn(5)
    assert drawn(5, 8) != drawn(5)
    assert drawn(2, where=None) == kept  # without regions, any item can be drawn
    with pytest.raises(UserError, match="no item of task 'kin'"):
        map_attention.mapped_items(items, None, "kin", 2, 7)


def test_the_page_shows_where_attention_moved_in_one_scale(root, maps):
    files = [root / f"datasets/mine/{n}.parquet" for n in ("items", "images", "regions")]
    inputs = Inputs([maps, *files])
    shown = moved(inputs, "llava", {"gallery_px": 64})
    assert shown["missing"] == [] and len(shown["moved"]) == 2
    assert all(card["source"].startswith("data:image/png;base64,") for card in shown["moved"])
    assert {card["width"] for card in shown["moved"]} == {3 * 64 + 2 * 10}
    pictures, _ = read_moved(inputs, "llava")
    (one, *_) = pictures
    assert [title for title, *_ in one.panels] == list(reversed(ADAPTERS))
    most = max(float(abs(values).max()) for p in pictures for _, values, _ in p.panels)
    drawn = np.asarray(over_image(one, one.panels, 64, change(most)))[22:, 64 + 10 : 128 + 10]
    x, y = (int(2 * v) for v in one.regions[0].middle)
    red, elsewhere = drawn[y, x].astype(int), drawn[(y + 32) % 64, (x + 32) % 64].astype(int)
    assert red[0] > red[2] + 40 and red[0] > red[1] + 40
    assert abs(elsewhere[0] - elsewhere[2]) < 15


def test_the_colour_scale_of_a_change_is_symmetric_around_zero():
    scale = change(0.5)
    ends = colors(np.array([-2.0, -0.5, 0.0, 0.5, 2.0]), scale)
    hexes = ["#" + "".join(f"{int(v):02x}" for v in row) for row in ends]
    assert hexes == [DIVERGING[0], DIVERGING[0], "#f7f7f7", DIVERGING[-1], DIVERGING[-1]]
    assert scale.notes == ("-0.5 or less", "0", "+0.5 or more")


def test_many_maps_are_narrow_enough_for_the_page(root, maps):
    files = [root / f"datasets/mine/{n}.parquet" for n in ("items", "images", "regions")]
    (one, *_), _ = read_moved(Inputs([maps, *files]), "llava")
    many = replace(one, panels=one.panels * 3)
    assert sheet(many, change(0.1), 240).width == 7 * 142 + 6 * 10
    assert sheet(one, change(0.1), 240).width == 3 * 240 + 2 * 10


def test_seeds_are_averaged():
    row = {"item_id": "i", "number": 0, "arm": "lora_lm", "before": [0.1, 0.2]}
    rows = [row | {"after": [0.2, 0.2]}, row | {"after": [0.4, 0.1]}]
    (found,) = changes(rows)
    np.testing.assert_allclose(found["change"], [0.2, -0.05])
    assert found["title"] == "lora_lm, mean of 2 seeds"


def test_tokens_without_a_position_are_noted_and_not_drawn(root, maps, tmp_path):
    rows = table(maps)
    nowhere = [[0.0] * 3 + [float("nan")] * 4] * len(rows[0]["before"])
    rows = [row | {"places": nowhere} for row in rows]
    path = tmp_path / "results/tuning/llava/mine/kind/maps.parquet"
    notes = {"note": map_attention.NO_PLACES}
    write_noted(path, pa.Table.from_pylist(rows, TUNED_MAPS), notes)
    data = [root / f"datasets/mine/{n}.parquet" for n in ("items", "images")]
    shown = moved(Inputs([path, *data]), "llava", {"gallery_px": 64})
    said = "kind of mine: image tokens have no position in the image, so no map is drawn."
    assert shown == {"moved": [], "missing": [said]}


def test_the_step_notes_tokens_without_positions_and_models_without_attention(maps):
    before = [(np.full(4, 0.1, np.float32), [np.full((4, 7), np.nan, np.float32)])]
    items, folder = [{"item_id": "i", "images": ["p"]}], maps.parent / "lora_lm/true-0"
    rows, notes = map_attention.mapped(lambda _: before, items, [folder])
    assert (len(rows), notes["note"]) == (1, map_attention.NO_PLACES)
    assert notes_of(maps) == {}

    def hidden(_):
        raise HiddenError("no block of family x returns attention weights")

    why = {"reason": "no block of family x returns attention weights"}
    assert map_attention.mapped(hidden, items, [folder]) == ([], why)


def test_an_item_missing_from_the_dataset_is_reported(root, maps, tmp_path):
    items = tmp_path / "results/datasets/mine/items.parquet"
    write_table(items, ITEMS.empty_table())
    inputs = Inputs([items, root / "datasets/mine/images.parquet"])
    with pytest.raises(UserError, match=r"item 'q\d+' of x\.parquet is missing"):
        mapped_images(inputs, "mine", "x.parquet", table(maps), "before")
