"""Intervals cover, irrelevant inputs have no effect, and bad input raises a one-sentence error."""

import json

import numpy as np
import polars as pl
import pytest
from concepts_fixture import (
    NAMES,
    planted,
    read_rows,
    run,
    write_answers,
    write_manifest,
    write_tables,
)

from eyechart.concepts.cues import Hits, cue_rows
from eyechart.core.errors import UserError
from eyechart.core.files import read_json, write_json
from eyechart.tables.parquet import read_table, write_table

FOUR = NAMES[:4]


@pytest.fixture
def root(tmp_path):
    write_tables(tmp_path, 3, FOUR)
    return tmp_path


def activations(root, scope="image", **changes):
    images, items = read_rows(root)
    rows = images if scope == "image" else items
    vectors = {"lm.0/last": planted(rows, (0.3, 0.6, 0.1), 32, 0.3, FOUR)}
    return write_manifest(root, vectors, scope, **changes)


def test_intervals_cover_the_share_that_typefaces_are_drawn_from():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(100):
        typefaces = rng.dirichlet([6, 12, 2, 4], 24)  # each has its own preference
        groups = np.repeat(np.arange(24).astype(str), 14)
        shares = np.concatenate([rng.multinomial(1, p, 14) for p in typefaces]).T.astype(float)
        hits = Hits(shares[None], np.zeros((1, 0)), groups, groups[:0])
        rows = cue_rows(hits, [{}], 8, 200, np.random.default_rng(2))
        font = next(row for row in rows if row["cue"] == "font")
        inside.append(font["ci_low"] <= 0.5 <= font["ci_high"])
    assert np.mean(inside) > 0.87  # with 24 groups, percentile intervals cover less than 95%


def test_images_of_one_typeface_are_not_independent():
    shares = np.repeat(np.eye(4)[[0, 1, 1, 0]], 50, axis=0).T[None].astype(float)
    groups = np.repeat(list("abcd"), 50)
    few, many = (
        cue_rows(Hits(shares, np.zeros((1, 0)), g, g[:0]), [{}], 8, 400, np.random.default_rng(2))
        for g in (groups, np.arange(200).astype(str))
    )
    widths = [rows[1]["ci_high"] - rows[1]["ci_low"] for rows in (few, many)]
    assert widths[0] > 4 * widths[1]


def test_equal_input_gives_equal_bytes_and_image_tokens_are_left_out(root):
    manifest = activations(root)
    first = [path.read_bytes() for path in run(root, [manifest])]
    told = read_json(manifest)
    told["columns"].append({"name": "lm.0/image_tokens", "address": "lm.0",
                            "span": "image_tokens", "width": 32, "dtype": "float32"})  # fmt: skip
    write_json(manifest, told)
    assert [path.read_bytes() for path in run(root, [manifest])] == first


def test_the_order_of_rows_in_the_shards_changes_nothing(root):
    manifest = activations(root)
    first = [path.read_bytes() for path in run(root, [manifest])]
    part = manifest.parent / "part-000.parquet"
    table = read_table(part)
    write_table(part, table.take(np.random.default_rng(1).permutation(len(table))))
    assert [path.read_bytes() for path in run(root, [manifest])] == first


def test_an_address_without_variance_has_only_the_raw_row(root):
    images, _ = read_rows(root)
    manifest = write_manifest(root, {"vision.0/cls": np.ones((len(images), 8), np.float32)})
    cues, apart, places = (pl.read_parquet(path) for path in run(root, [manifest]))
    assert set(cues["components"]) == set(apart["components"]) == {0}
    assert apart["ratio"].null_count() == 1
    assert places["first"].to_list() == [0] * len(places)


def test_answers_to_some_of_the_items_are_counted_as_such(root):
    path = write_answers(root, "font", orders=3)
    table = read_table(path)
    some = [str(item).endswith(("0_0", "2_0")) for item in table.column("item_id").to_pylist()]
    write_table(path, table.filter(some))
    cues = pl.read_parquet(run(root, [activations(root)], [path])[0])
    own = cues.filter(address="answer")
    rows = [row for row in read_rows(root)[1] if row["item_id"].endswith(("0_0", "2_0"))]
    cue = ["label/word", "label/font", "label/background"]
    apart = [row for row in rows if row[cue[0]] and len({row[c] for c in cue}) == 3]
    assert own.filter(cue="font").select("share", "n").row(0) == (1, len(apart))
    assert own.filter(cue="concept")["n"][0] == sum(
        row["label/concept"] is not None for row in rows
    )


def change(path, name, value, row=0):
    table = pl.DataFrame(read_table(path))
    values = table[name].to_list()
    values[row] = value
    column = pl.Series(name, values, table[name].dtype)
    write_table(path, table.with_columns(column).to_arrow().cast(read_table(path).schema))


def test_a_label_that_is_not_a_choice_is_reported(root):
    words = [n for n, row in enumerate(read_rows(root)[0]) if row["label/word"]]
    manifest = activations(root)
    change(root / "images.parquet", "label/font", "gren", row=words[0])
    with pytest.raises(UserError, match=r"'word_0001': font is 'gren'; did you mean 'green'\?"):
        run(root, [manifest])


def test_too_few_images_of_a_colour_are_refused(root):
    manifest = activations(root)
    table = pl.DataFrame(read_table(root / "images.parquet"))
    kept = table.filter(~pl.col("image_id").is_in(["concept_red_000", "concept_red_001"]))
    schema = read_table(root / "images.parquet").schema
    write_table(root / "images.parquet", kept.to_arrow().cast(schema))
    with pytest.raises(UserError, match="1 concept images of 'red', expected at least 2"):
        run(root, [manifest])


def test_a_grid_in_which_cues_always_coincide_is_refused(tmp_path):
    write_tables(tmp_path, 3, FOUR[:2])
    with pytest.raises(UserError, match="no word image whose word, font and background all dif"):
        run(tmp_path, [tmp_path / "image/manifest.json"])


def test_activations_of_another_dataset_or_model_are_refused(root):
    with pytest.raises(UserError, match=r"manifest.json: model is 'other', expected 'm'"):
        run(root, [activations(root, model="other")])
    manifest = activations(root)
    with pytest.raises(UserError, match=r"concepts.columns is \['lm.\*/cls'\], which match"):
        run(root, [manifest], columns=["lm.*/cls"])
    part = manifest.parent / "part-000.parquet"
    write_table(part, read_table(part).slice(1))
    with pytest.raises(UserError, match=r"manifest.json: no row of '\w+'; extract it again"):
        run(root, [manifest])


def test_answers_of_another_dataset_or_model_are_refused(root):
    manifest = activations(root, "item")
    with pytest.raises(UserError, match=r"blank.parquet: condition is 'blank', expected 'sighted'"):
        run(root, [manifest], [write_answers(root, "word", "blank")])
    with pytest.raises(UserError, match=r"sighted.parquet: model is 'other', expected 'm'"):
        run(root, [manifest], [write_answers(root, "word", model="other")])
    path = write_answers(root, "word")
    change(path, "predicted", "teal")
    with pytest.raises(UserError, match=r"predicted is 'teal'; .*There are: blue, gray, green, r"):
        run(root, [manifest], [path])
    change(path, "item_id", "nobody")
    with pytest.raises(UserError, match=r"item 'nobody' is not among the dataset's items"):
        run(root, [manifest], [path])


def test_a_prompt_that_some_images_lack_is_refused(root):
    path = root / "items.parquet"
    change(path, "prompt", "Another?")
    with pytest.raises(UserError, match=r"the prompt '.*' is asked about \d+ of \d+ images in"):
        run(root, [activations(root)])
    write_tables(root, 3, FOUR)
    change(path, "choices", ["red"])
    with pytest.raises(UserError, match="2 lists of choices, expected one palette for all"):
        run(root, [activations(root)])


def test_the_documented_settings_are_those_that_the_step_reads(root):
    from eyechart.concepts import compare

    text = compare.__doc__.split("--settings '")[1].split("'")[0]
    settings = json.loads(text)
    assert [path.exists() for path in run(root, [activations(root)], **settings)] == [True] * 3
