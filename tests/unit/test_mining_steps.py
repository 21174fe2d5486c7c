"""The mining steps, from activations on disk to pairs, a page to browse and a form."""

import csv
import json
import re
import shutil
from itertools import combinations_with_replacement

import numpy as np
import pyarrow as pa
import pytest
from mining_fixture import brute_force, flags, planted, unit, write_activations, write_images

from eyechart.core.errors import UserError
from eyechart.mining import (
    align_features,
    export_labels,
    find_pairs,
    find_pairs_of_parts,
    join_pairs,
)
from eyechart.mining.features import to_unit_length
from eyechart.report.sections.mining import sheet
from eyechart.tables.pairs import NOTE
from eyechart.tables.parquet import read_table

N = 200
IDS = [f"p_{row:03d}" for row in range(N)]
NAME = "vision.0/cls"


def mine(folder, one, two, /, ids=IDS, images=None, **changes):
    """Write activations and images, mine them, and return the table and its note."""
    first = write_activations(folder, "eye_one", NAME, one, ids, parts=3)
    second = write_activations(folder, "eye_two", NAME, two, ids[::-1], parts=2)
    images = images or write_images(folder, ids)
    find_pairs.main(flags(first, second, images, folder / "pairs.parquet", changes))
    table = read_table(folder / "pairs.parquet")
    return table, json.loads(table.schema.metadata[NOTE])


def ids_of(table):
    rows = table.select(["first_id", "second_id"]).to_pylist()
    return [(row["first_id"], row["second_id"]) for row in rows]


@pytest.fixture
def two_eyes():
    """Return float16 features that are not unit vectors, with the second's rows reversed."""
    first, second, wanted = planted(N, (64, 48), 12, 5)
    lengths = np.random.default_rng(0).uniform(0.5, 9, (2, N, 1))
    halves = [(x * y).astype(np.float16) for x, y in zip((first, second), lengths, strict=True)]
    return halves[0], halves[1][::-1], wanted


def test_rows_are_matched_by_id_in_any_parts_order_length_and_precision(tmp_path, two_eyes):
    first, second, wanted = two_eyes
    table, note = mine(tmp_path, first, second)
    units = unit(first), unit(second[::-1])
    expected = brute_force(*units, 0.95, 0.6)
    assert ids_of(table) == [(IDS[i], IDS[j]) for i, j in expected]
    assert set(expected) == wanted
    cosines = [float(units[0][i] @ units[0][j]) for i, j in expected]
    np.testing.assert_allclose(table.column("similarity_first").to_numpy(), cosines, atol=1e-6)
    assert table.column("rank").to_pylist() == list(range(1, 13))
    kept = {key: note[key] for key in ("dataset", "first", "second", "images", "matching")}
    assert kept == {
        "dataset": "d", "first": "eye_one", "second": "eye_two", "images": N, "matching": 12
    }  # fmt: skip


def test_copies_of_an_image_count_once_and_form_no_pair(tmp_path, two_eyes):
    first, second, wanted = two_eyes
    (i, j), *_ = sorted(wanted)
    images = write_images(tmp_path, IDS, copies=[(IDS[i], IDS[j])])
    table, note = mine(tmp_path, first, second, images=images)
    assert (IDS[i], IDS[j]) not in ids_of(table)
    assert (note["images"], note["copies"], note["matching"]) == (N - 1, 1, 11)


def test_images_rejected_by_one_model_are_omitted(tmp_path, two_eyes):
    first, second, wanted = two_eyes
    i = min(wanted)[0]
    kept = [row for row in range(N) if row != i]
    ids = [IDS[row] for row in kept]
    one = write_activations(tmp_path, "eye_one", NAME, first[kept], ids, parts=3)
    two = write_activations(tmp_path, "eye_two", NAME, second, IDS[::-1], parts=2)
    told = json.loads(one.read_text()) | {"dropped": {IDS[i]: "odd"}}
    one.write_text(json.dumps(told))
    out = tmp_path / "pairs.parquet"
    find_pairs.main(flags(one, two, write_images(tmp_path, IDS), out, {}))
    table = read_table(out)
    note = json.loads(table.schema.metadata[NOTE])
    assert (note["images"], note["matching"]) == (N - 1, 11)
    assert IDS[i] not in {name for pair in ids_of(table) for name in pair}


def test_only_the_best_are_kept_and_all_are_counted(tmp_path, two_eyes):
    everything, _ = mine(tmp_path, *two_eyes[:2])
    table, note = mine(tmp_path, *two_eyes[:2], most=4)
    assert ids_of(table) == ids_of(everything)[:4]
    assert note["matching"] == 12


def test_centring_removes_the_mean_of_all_images(tmp_path, two_eyes):
    first, second, _ = two_eyes
    shared = (first.astype(np.float32) + 100).astype(np.float16)
    _, plain = mine(tmp_path, shared, second)
    _, centred = mine(tmp_path, shared, second, centre=True)
    assert plain["matching"] > 1000
    assert centred["matching"] < 20
    values = shared.astype(np.float32)
    to_unit_length(values, True, "x", pa.array(IDS))
    off = shared.astype(np.float64) - shared.astype(np.float64).mean(0)
    np.testing.assert_allclose(values, unit(off), atol=2e-5)


def test_equal_input_gives_equal_bytes(tmp_path, two_eyes):
    written = []
    for block in (7, 64):
        mine(tmp_path, *two_eyes[:2], block=block)
        written.append(read_table(tmp_path / "pairs.parquet"))
    assert written[0].equals(written[1])
    before = (tmp_path / "pairs.parquet").read_bytes()
    mine(tmp_path, *two_eyes[:2])
    assert (tmp_path / "pairs.parquet").read_bytes() == before


def mine_in_parts(folder, parts, changes):
    """Mine the files of ``mine`` in separate jobs; return the path of the joined table."""
    manifests = (folder / f"eye_{name}/manifest.json" for name in ("one", "two"))
    aligned = folder / "features/images.parquet"
    words = flags(*manifests, folder / "images.parquet", aligned, changes)
    align_features.main(words)
    ask = words[words.index("--settings") + 1]
    tables = []
    for part, other in combinations_with_replacement(range(parts), 2):
        tables.append(str(folder / f"{part:03d}-{other:03d}.parquet"))
        find_pairs_of_parts.main(
            ["--features", str(aligned), "--settings", ask, "--part", f"{part:03d}",
             "--other", f"{other:03d}", "--parts", str(parts), "--output", tables[-1]]
        )  # fmt: skip
    joined = folder / "joined.parquet"
    join_pairs.main(["--parts", *tables, "--output", str(joined)])
    return joined


@pytest.mark.parametrize(
    "changes", [{}, {"most": 4}, {"similar": 1.0}, {"similar": 0.1, "different": 0.05, "block": 16}]
)
def test_several_jobs_write_the_same_bytes_as_one(tmp_path, two_eyes, changes):
    _, note = mine(tmp_path, *two_eyes[:2], **changes)
    for parts in (1, 2, 3, 15):
        joined = mine_in_parts(tmp_path, parts, changes)
        assert joined.read_bytes() == (tmp_path / "pairs.parquet").read_bytes()
    units, at = (unit(two_eyes[0]), unit(two_eyes[1][::-1])), {"similar": 0.95, "different": 0.6}
    asked = [changes.get(name, value) for name, value in at.items()]
    assert note["matching"] == len(brute_force(*units, *asked))
    features = np.load(tmp_path / "features/second.npy", mmap_mode="r")
    np.testing.assert_allclose(features, unit(two_eyes[1][::-1]), atol=1e-6)


def test_faiss_finds_the_same_pairs_and_the_page_states_its_recall(tmp_path, two_eyes):
    everything, _ = mine(tmp_path, *two_eyes[:2])
    table, note = mine(tmp_path, *two_eyes[:2], engine="faiss")
    assert table.equals(everything)  # all of them, since there are few
    recall = note["recall"]
    assert recall["planted"] == 10_000
    assert 0.99 <= recall["low"] <= recall["found"] / 10_000 <= recall["high"]
    assert note["highest_first"] is None
    page = draw(tmp_path)
    assert f"Of 10,000 planted pairs with a cosine of 0.95, {recall['found']:,} were" in page
    assert "All pairs were compared" not in page
    mine(tmp_path, *two_eyes[:2], engine="faiss", different=-0.9)
    assert "Of the pairs above 0.95, the lowest cosine in" in draw(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "changes", "message"),
    [
        (lambda x: x, {"first": "vision.0/clss"}, "no column 'vision.0/clss'; did you mean"),
        (lambda x: x * (np.arange(N) != 7)[:, None], {}, r"'p_007': all features are zero, so"),
        (lambda x: np.where(np.arange(N) == 9, np.nan, x.T).T, {}, "'p_009': NaN or infinity"),
        (lambda x: np.where(np.arange(N) == 9, np.inf, x.T).T, {}, "'p_009': NaN or infinity"),
        (lambda x: x * 0 + 1, {"centre": True}, "'p_000': all features are zero after centring"),
    ],
)
def test_features_without_a_cosine_are_refused(tmp_path, two_eyes, spoil, changes, message):
    with pytest.raises(UserError, match=message):
        mine(tmp_path, spoil(two_eyes[0]), two_eyes[1], **changes)
    assert not (tmp_path / "pairs.parquet").exists()


def test_an_image_without_activations_and_a_wrong_scope_are_refused(tmp_path, two_eyes):
    images = write_images(tmp_path, [*IDS, "z"])
    with pytest.raises(UserError, match=r"no row for 'z' \(for 1 of 201 images\)"):
        mine(tmp_path, *two_eyes[:2], images=images)
    item = write_activations(tmp_path, "eye", NAME, two_eyes[0], IDS, scope="item")
    with pytest.raises(UserError, match="scope is 'item', expected 'image'"):
        find_pairs.main(flags(item, item, images, tmp_path / "pairs.parquet", {}))


def draw(folder, **changes):
    settings = {"mined": 100, "gallery_px": 32, "megabytes": 10, **changes}
    home = folder / "results"
    pairs = home / "mining/eye_one_against_eye_two/d/pairs.parquet"
    images = home / "datasets/d/images.parquet"
    for path in (pairs, images):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / path.name, path)
    sheet.main(
        ["--tables", str(pairs), str(images), "--settings", json.dumps(settings),
         "--output", str(folder / "sheet.html")]
    )  # fmt: skip
    return (folder / "sheet.html").read_text()


def test_the_page_shows_pairs_with_both_cosines_and_escapes_names(tmp_path, two_eyes):
    ids = [f"<b>{name}</b>" for name in IDS]
    table, _ = mine(tmp_path, *two_eyes[:2], ids=ids)
    page = draw(tmp_path, mined=5)
    assert page.count("<figure>") == 5
    assert page.count('src="data:image/') == 10
    best = table.to_pylist()[0]
    assert f"{best['similarity_first']:.3f}" in page
    assert f"{best['similarity_second']:.3f}".replace("-", "−") in page
    assert "<b>p_" not in page
    assert "&lt;b&gt;p_" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [({"similar": 1.0}, "None is above 1.0"), ({"different": -0.9}, "the lowest cosine in")],
)
def test_an_empty_page_shows_the_nearest_cosines(tmp_path, two_eyes, thresholds, message):
    table, _ = mine(tmp_path, *two_eyes[:2], **thresholds)
    page = draw(tmp_path)
    assert table.num_rows == 0
    assert "No pair matches" in page
    assert message in page


def test_a_table_that_is_not_of_pairs_is_refused(tmp_path):
    images = write_images(tmp_path, IDS[:2])
    images.rename(tmp_path / "pairs.parquet")
    write_images(tmp_path, IDS[:2])
    with pytest.raises(UserError, match="not a table of mined pairs"):
        draw(tmp_path)


def test_the_form_has_the_columns_of_mmvp_and_a_row_per_image(tmp_path, two_eyes):
    table, _ = mine(tmp_path, *two_eyes[:2])
    export_labels.main(
        ["--pairs", str(tmp_path / "pairs.parquet"), "--images", str(tmp_path / "images.parquet"),
         "--output", str(tmp_path / "labels.csv")]
    )  # fmt: skip
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["Index", "Question", "Options", "Correct Answer", "Image"]
    assert [row["Index"] for row in rows] == [str(n) for n in range(1, 25)]
    assert {row[key] for row in rows for key in ("Question", "Options", "Correct Answer")} == {""}
    images = read_table(tmp_path / "images.parquet").to_pylist()
    path = {row["image_id"]: row["path"] for row in images}
    assert [row["Image"] for row in rows] == [path[x] for pair in ids_of(table) for x in pair]
