"""Charts, maps and the section about attention to the image, from hand-made tables."""

import base64
import json
import re
import shutil

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.report import draw
from eyechart.report.chart_style import spread
from eyechart.report.files import Inputs
from eyechart.report.overlays import colors, laid_over, relative
from eyechart.report.sections.attention.charts import head_rows, ratio_rows, sheet
from eyechart.report.sections.attention.load import common, read_examples, read_traced
from eyechart.report.sections.attention.page import context
from eyechart.report.templates import render_section
from eyechart.tables.attention import LENS, MAPS, SUMMARY, WORDS
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.notes import write_noted
from eyechart.tables.parquet import write_table
from eyechart.tables.regions import box, point, write_regions

SETTINGS = {"alpha": 0.05, "png_scale": 1, "map_layers": 2, "maps": 4, "gallery_px": 120}
SHOWN = {"figures": ["attention"]}
BLOCKS = 3
EVIL = "<script>alert(1)</script>"
FIXED = {"model": "m", "dataset": "d"}
HOME = "results/attention/m/d"
DATA = "results/datasets/d"


def places():
    """Return two by two tokens over an image of 40 x 20."""
    edges = [(r, c, 20 * c, 10 * r, 20 * c + 20, 10 * r + 10) for r in (0, 1) for c in (0, 1)]
    return np.array([(0, *edge) for edge in edges], dtype=np.float32)


def summary_rows():
    rows = []
    for task in ("all", "art_style", "depth_order"):
        for n in range(BLOCKS):
            own = FIXED | {"task": task, "address": f"lm.{n}", "n": 8, "groups": 8, "head": None}
            own |= {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "chance": 0.25}
            rows += [
                own | {"metric": "image_mass", "role": "image", "p": 0.5, "q": 0.5},
                own | {"metric": "lens_p_right", "role": "answer"},
                own | {"metric": "lens_settled", "role": "answer", "value": n / 2, "chance": None},
            ]
            own |= {"metric": "ratio", "chance": 1, "control": 1.0, "difference": 1.0, "p": 0.001}
            own |= {"difference_low": 0.5, "difference_high": 1.5, "q": 0.01}
            for role in ("right", "wrong"):
                rows.append(own | {"role": role, "value": 1.0 + n})
            rows += [own | {"role": "right", "head": h, "value": 2.0} for h in range(2)]
    return rows


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Write a project with the section's inputs: one item with regions on its image."""
    root = tmp_path_factory.mktemp("looks")
    folder = root / HOME
    write_noted(folder / "summary.parquet", pa.Table.from_pylist(summary_rows(), SUMMARY), {})
    Image.new("RGB", (40, 20), (90, 120, 60)).save(root / "p.png")
    own = FIXED | {"item_id": "i", "task": "depth_order", "group": "g"}
    maps, lens, words = [], [], []
    for n in range(BLOCKS):
        here = own | {"address": f"lm.{n}"}
        attention = [0.4, 0.1, 0.1, 0.0]
        maps.append(here | {"image_id": "p", "number": 0, "attention": attention,
                            "places": places().tolist()})  # fmt: skip
        said = {"place": "answer", "role": "answer", "p_right": 0.75, "rank": n + 1}
        said |= {"word": EVIL, "predicted": "red", "final": "red", "first_layer": 0}
        lens.append(here | said)
        words.append(here | {"rank": 1, "words": ["cat", "cat", "dog", EVIL]})
    for name, rows, schema in (("maps", maps, MAPS), ("lens", lens, LENS), ("words", words, WORDS)):
        write_noted(folder / f"{name}.parquet", pa.Table.from_pylist(rows, schema), {})
    item = {"item_id": "i", "task": "depth_order", "group": "g", "images": ["p"], "prompt": EVIL}
    item |= {"choices": ["red", "blue"], "answer": "red"}
    item |= {"meta": json.dumps({"letters": {"A": "red", "B": "blue"}})}
    write_table(root / DATA / "items.parquet", pa.Table.from_pylist([item], ITEMS))
    image = {"image_id": "p", "path": str(root / "p.png")}
    write_table(root / DATA / "images.parquet", pa.Table.from_pylist([image], IMAGES))
    marks = [box("A", 0, 0, 40, 10), point("B", 30, 15)]
    rows = [{"item_id": "i", "seen": "canvas", "image_id": "p", **m._asdict()} for m in marks]
    write_regions(root / DATA / "regions.parquet", rows)
    return root


@pytest.fixture(scope="module")
def page(root):
    return render_section("attention", **context(inputs(root), SETTINGS), settings=SHOWN)


def inputs(root):
    return Inputs(sorted(root.glob("results/**/*.parquet")))


def test_the_section_has_every_chart_with_its_table(page):
    assert page.count("data:image/svg+xml;base64,") == 4
    assert page.count("The same as a table") == 4
    for title in (
        "relative to their area",
        "by block and head",
        "on the image",
        "the response is fixed",
    ):
        assert title in page
    assert "1.00 (0.40–0.60)" in page  # ratios
    assert "0.50 (0.40–0.60)" in page  # shares


def test_the_section_states_its_findings_with_their_controls(page):
    assert "Block lm.2 (of 3) attends most to the right choice&#39;s region" in page
    assert "3.00x uniform [0.40–0.60]; control regions 1.00x, q = 0.01 (n 8)." in page
    assert "the response is fixed from block lm.1" in page


def test_text_from_data_cannot_become_code(page):
    assert EVIL not in page
    assert page.count("&lt;script&gt;") >= 2
    svgs = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", page)
    assert not any(b"<script" in base64.b64decode(one) for one in svgs)
    assert not re.search(r"https?://", page)


def test_words_belong_to_the_tokens_that_a_region_covers(root):
    (shown,) = read(root)
    first = shown.words[0]
    assert first["inside"]["A"] == [("cat", 2)]
    assert first["inside"]["B"][0] == (EVIL, 1)
    assert common(["a", "b", "a"], np.array([0.2, 1.0, 0.6])) == [("b", 1), ("a", 1)]
    assert common(["a"], np.zeros(1)) == []


def read(root):
    (traced,) = read_traced([root / HOME / "summary.parquet"])
    return read_examples(inputs(root), traced)


def test_each_image_of_an_item_has_its_own_regions_and_words(root, tmp_path):
    own = FIXED | {"item_id": "i", "task": "depth_order", "group": "g"}
    pictures = [{"image_id": n, "path": str(root / "p.png")} for n in ("p", "second")]
    item = pl.read_parquet(root / DATA / "items.parquet").to_dicts()[0] | {
        "images": ["p", "second"]
    }
    write_table(tmp_path / DATA / "items.parquet", pa.Table.from_pylist([item], ITEMS))
    write_table(tmp_path / DATA / "images.parquet", pa.Table.from_pylist(pictures, IMAGES))
    here = own | {"address": "lm.0", "attention": [0.1] * 4, "places": places().tolist()}
    maps = [here | {"image_id": n, "number": k} for k, n in enumerate(("p", "second"))]
    write_noted(tmp_path / HOME / "maps.parquet", pa.Table.from_pylist(maps, MAPS), {})
    words = [own | {"address": "lm.0", "rank": 1, "words": ["one"] * 4 + ["two"] * 4}]
    write_noted(tmp_path / HOME / "words.parquet", pa.Table.from_pylist(words, WORDS), {})
    marks = {"p": box("REF", 0, 0, 40, 10), "second": box("A", 0, 0, 40, 20)}
    rows = [
        {"item_id": "i", "seen": "canvas", "image_id": n, **m._asdict()} for n, m in marks.items()
    ]
    write_regions(tmp_path / DATA / "regions.parquet", rows)
    for name in ("lens", "summary"):
        shutil.copy(root / HOME / f"{name}.parquet", tmp_path / HOME)
    found = read(tmp_path)
    assert [[r.name for r in one.regions] for one in found] == [["REF"], ["A"]]
    assert [one.words[0]["inside"] for one in found] == [{"REF": [("one", 2)]}, {"A": [("two", 4)]}]


def test_a_map_shows_attention_relative_to_uniform(root):
    (shown,) = read(root)
    found = relative(shown.maps["lm.0"], shown.places, (40, 20), (80, 40))
    np.testing.assert_allclose(found[5, [10, 60]], [0.4 / 0.15, 0.1 / 0.15])
    np.testing.assert_allclose(found[30, [10, 60]], [0.1 / 0.15, 0])


def test_uniform_attention_is_one_everywhere_even_if_views_overlap():
    whole = np.array([[0, 0, 0, 0, 0, 40, 20]], dtype=np.float32)
    both = np.concatenate([whole, places() + np.array([1, 0, 0, 0, 0, 0, 0])]).astype(np.float32)
    np.testing.assert_allclose(relative(np.full(5, 0.2), both, (40, 20), (40, 20)), 1)


def test_uncovered_pixels_have_no_colour(root):
    half = places()[[0, 2]]
    times = relative(np.array([0.5, 0.5]), half, (40, 20), (40, 20))
    assert np.isnan(times[:, 20:]).all()
    over = np.asarray(laid_over(Image.new("RGB", (40, 20), (90, 120, 60)), times))
    assert over[5, 30].min() > 180
    assert len({tuple(p) for p in over.reshape(-1, 3)}) == 2


def test_lighter_colours_mean_more_attention():
    light = colors(2.0 ** np.linspace(-3, 3, 13)) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(light) > 0).all()


def test_a_sheet_has_the_image_and_the_chosen_blocks(root):
    (shown,) = read(root)
    assert spread(list(shown.maps), 2) == ["lm.0", "lm.2"]
    assert spread(list(shown.maps), 1) == ["lm.2"]
    assert sheet(shown, 2, 120).size == (3 * 120 + 20, 22 + 60 + 10 + 12 + 18)


def test_the_step_draws_all_files_and_lists_them(root, tmp_path):
    output = tmp_path / "figures.json"
    draw.main(words(root, output))
    names = {entry["path"] for entry in read_json(output)["files"]}
    charts = {
        f"{n}.{e}" for n in ("ratios", "heads", "masses", "lens") for e in ("svg", "png", "csv")
    }
    assert names == charts | {"item-1.png"}
    assert {p.name for p in tmp_path.iterdir()} == names | {"figures.json"}
    table = pl.read_csv(tmp_path / "ratios.csv")
    assert {"task", "series", "value", "low", "high", "chance", "control", "q", "n"} <= set(
        table.columns
    )
    assert len(table) == 3 * BLOCKS * 2


def test_rows_of_charts_keep_their_controls(root):
    (traced,) = read_traced([root / HOME / "summary.parquet"])
    assert {row["control"] for row in ratio_rows(traced)} == {1.0}
    assert {row["sure"] for row in head_rows(traced, 0.05)} == {True}
    assert {row["sure"] for row in head_rows(traced, 0.001)} == {False}


def test_unavailable_attention_is_stated_and_not_drawn(tmp_path):
    path = tmp_path / HOME / "summary.parquet"
    notes = {"attention_reason": "no block of family x returns attention weights"}
    write_noted(path, SUMMARY.empty_table(), notes)
    for name, schema in (("maps", MAPS), ("lens", LENS), ("words", WORDS)):
        write_noted(path.with_name(f"{name}.parquet"), schema.empty_table(), {})
    write_table(tmp_path / DATA / "items.parquet", ITEMS.empty_table())
    write_table(tmp_path / DATA / "images.parquet", IMAGES.empty_table())
    page = render_section("attention", **context(inputs(tmp_path), SETTINGS), settings=SHOWN)
    assert "No attention is shown: no block of family x returns attention weights." in page
    assert "<img" not in page
    draw.main(words(tmp_path, tmp_path / "o/figures.json"))
    assert (tmp_path / "o/ratios.svg").exists()


def words(root, output):
    tables = map(str, sorted(root.glob("results/**/*.parquet")))
    found = ["--section", "attention", "--tables", *tables]
    return [*found, "--settings", json.dumps(SETTINGS), "--output", str(output)]


def test_a_value_without_its_interval_is_refused(tmp_path):
    rows = summary_rows()
    rows[0]["ci_low"] = None
    path = tmp_path / HOME / "summary.parquet"
    write_noted(path, pa.Table.from_pylist(rows, SUMMARY), {})
    with pytest.raises(UserError, match=r"image_mass of all at lm\.0 has a value without n and"):
        read_traced([path])
    write_noted(
        tmp_path / "results/attention/x/d/summary.parquet", pa.Table.from_pylist(rows, SUMMARY), {}
    )
    with pytest.raises(UserError, match="a row is about m on d, unlike its path"):
        read_traced([tmp_path / "results/attention/x/d/summary.parquet"])
