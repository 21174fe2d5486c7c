"""Inputs of readouts: views and tiles, several images, and reported mistakes."""

import json
import logging
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from planted_activations_fixture import (
    NAMES,
    PX,
    Row,
    grid,
    item,
    region,
    write_answers,
    write_dataset,
)
from planted_activations_fixture import write_source as write
from test_readout_tasks import flags, position, run

from eyechart.core.errors import UserError
from eyechart.core.files import read_json, write_json
from eyechart.readout.correspondence import score_points
from eyechart.readout.odd_one_out import score_odd
from eyechart.readout.style import score_gram
from eyechart.tables.readouts import NOTE

SPOTS = {"A": (20, 20), "B": (60, 20), "C": (20, 60), "D": (60, 60)}


def puzzles(
    n: int, spots: dict[str, tuple[float, float]] = SPOTS, **more: object
) -> tuple[list[Row], list[Row]]:
    """Return items with two equal images, where REF is at the position of the answer."""
    items, regions = [], []
    for i in range(n):
        answer = "ABCD"[i % 4]
        views = [f"p{i:03d}_0", f"p{i:03d}_1"]
        items.append(item(i, "semantic_correspondence", "ABCD", answer, views, **more))
        for seen in ("alone", "canvas"):
            regions.append(region(items[-1], seen, views[0], "REF", *spots[answer]))
            regions += [region(items[-1], seen, views[1], k, *spots[k]) for k in spots]
    return items, regions


def truth(places: np.ndarray) -> np.ndarray:
    """Return tokens that encode their positions; tokens without a position are nonsense."""
    middle = np.nan_to_num((places[:, 3:5] + places[:, 5:7]) / 2, nan=7.0)
    found = position(*middle.T)
    found[np.isnan(places[:, 3])] = 1000
    return found.astype(np.float32)


def tiled() -> np.ndarray:
    """Return a coarse view of everything, two tiles, and line ends without a position."""
    line = np.array([[0, -1, -1, *[np.nan] * 4]])
    tiles = [grid(8, 4, (0, 0, PX / 2, PX), 1), grid(8, 4, (PX / 2, 0, PX, PX), 2)]
    return np.concatenate([grid(4, 4), line, *tiles, line]).astype(np.float32)


def write_all(
    root: Path, places: np.ndarray, spots: dict[str, tuple[float, float]] = SPOTS
) -> list[str]:
    items, regions = puzzles(12, spots)
    write_dataset(root, items, regions)
    ids = [image for one in items for image in one["images"]]
    tokens = [truth(places) for _ in ids]
    return flags(
        root, [write(root / "image", ids, {"vision.0": tokens}, {"vision": [places] * len(ids)})]
    )


@pytest.mark.parametrize("places", [tiled(), grid(5, 9)], ids=["tiles", "oblong"])
def test_tiles_and_line_ends_are_read_at_their_positions(places, tmp_path):
    found = run(tmp_path, write_all(tmp_path, places))
    assert found.filter(readout="points")["value"].to_list() == [1.0, 1.0]


@pytest.mark.parametrize("views", [(1, 1), (3, 3)], ids=["one view each", "tiles"])
def test_images_in_one_prompt_are_distinguished_by_view(views, tmp_path):
    own = [grid() if n == 1 else tiled() for n in views]
    items, regions = puzzles(12)
    write_dataset(tmp_path, items, regions)
    alone = [own[k] for _ in items for k in range(2)]
    second = own[1] + np.eye(1, 7, dtype=np.float32) * views[0]
    both = np.concatenate([own[0], second])
    tokens = np.concatenate([truth(own[0]), truth(own[1])])
    ids = [image for one in items for image in one["images"]]
    image = write(
        tmp_path / "image", ids, {"connector": [truth(p) for p in alone]}, {"connector": alone}
    )
    names = [one["item_id"] for one in items]
    asked = write(
        *(tmp_path / "item", names, {"lm.0": [tokens] * 12}, {"lm": [both] * 12}), scope="item"
    )
    found = run(tmp_path, flags(tmp_path, [asked, image])).filter(readout="points")
    assert set(found["address"]) == {"connector", "lm.0"}
    assert found["value"].to_list() == [1.0] * 4 and found["n"].to_list() == [12] * 4


def test_items_with_uncovered_points_are_reported_and_not_counted(tmp_path, caplog):
    cropped = grid(4, 4, (20, 20, 60, 60))  # a centre crop
    items, regions = puzzles(12)
    for one in regions[:10]:  # the first item has a point at the image's edge
        if one["name"] == "D":
            one |= {"left": 79.0, "right": 79.0}
    write_dataset(tmp_path, items, regions)
    ids = [image for one in items for image in one["images"]]
    source = write(
        tmp_path / "image", ids, {"vision.0": [truth(cropped)] * 24}, {"vision": [cropped] * 24}
    )
    write_answers(tmp_path / "sighted.parquet", items, lambda r, order: "(A)")
    with caplog.at_level(logging.WARNING):
        found = run(tmp_path, flags(tmp_path, [source]))
    assert found["n"].to_list() == [11] * 4
    assert found["answer"].to_numpy() == pytest.approx(2 / 11)  # q0000, with answer A, is left out
    assert "1 of 12 items cannot be read and do not count; q0000: D: point (79, 60)" in caplog.text
    note = json.loads(pq.read_schema(tmp_path / "scores.parquet").metadata[NOTE])
    told = [
        {k: row[k] for k in ("seen", "stage", "items", "of", "first")} for row in note["unread"]
    ]
    expected = {"stage": "vision", "items": 1, "of": 12, "first": ["q0000"]}
    assert told == [{"seen": "alone", **expected}, {"seen": "canvas", **expected}]


def test_a_stage_without_token_positions_is_reported_and_the_others_read(tmp_path, caplog):
    nowhere = np.full((16, 7), np.nan, np.float32)
    nowhere[:, :3] = [0, -1, -1]
    items, regions = puzzles(4)
    write_dataset(tmp_path, items, regions)
    ids = [image for one in items for image in one["images"]]
    tokens = {"vision.0": [truth(grid())] * 8, "connector": [np.ones((16, 3), np.float32)] * 8}
    places = {"vision": [grid()] * 8, "connector": [nowhere] * 8}
    found = run(tmp_path, flags(tmp_path, [write(tmp_path / "image", ids, tokens, places)]))
    assert set(found["address"]) == {"vision.0"}
    assert "tokens of connector have no positions; nothing is read there" in caplog.text


def test_tokens_must_have_positions(tmp_path):
    words = write_all(tmp_path, grid())
    path = tmp_path / "image/manifest.json"
    manifest = read_json(path)
    write_json(path, {k: v for k, v in manifest.items() if k != "places"})
    with pytest.raises(UserError, match=r"no positions of the tokens of 'vision.0/image_tokens'"):
        run(tmp_path, words)


def test_more_tokens_than_positions_are_refused(tmp_path):
    words = write_all(tmp_path, grid())
    items, _ = puzzles(12)
    ids = [image for one in items for image in one["images"]]
    write(
        tmp_path / "image", ids, {"vision.0": [truth(grid())[:-1]] * 24}, {"vision": [grid()] * 24}
    )
    with pytest.raises(UserError, match="row 0: 63 tokens, but 64 places"):
        run(tmp_path, words)


def change(root: Path, table: str, where: pl.Expr, /, **values: object) -> None:
    path = root / f"{table}.parquet"
    rows = pl.read_parquet(path)
    new = [
        pl.when(where).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
        for column, value in values.items()
    ]
    rows.with_columns(new).write_parquet(path)


FIRST = pl.col("item_id") == "q0003"
MISTAKES = {
    "letter": (("regions", FIRST & (pl.col("name") == "B")), {"name": "E"}, "'E' has no choice; "),
    "twice": (("regions", FIRST & (pl.col("name") == "B")), {"name": "A"}, "has region 'A' twice"),
    "reference": (("regions", FIRST & (pl.col("name") == "REF")), {"item_id": "q0004"}, "twice"),
    "item": (("regions", FIRST), {"item_id": "q9999"}, "'q9999' is not among the dataset's items"),
    "seen": (("regions", FIRST), {"seen": "alnoe"}, "seen is 'alnoe'; did you mean 'alone'"),
    "shape": (("regions", FIRST), {"shape": "box"}, "has the shape 'box', expected 'point'"),
    "letters": (("items", FIRST), {"meta": '{"letters": {"A": "(A)"}}'}, "meta.letters is"),
    "task": (("items", FIRST | ~FIRST), {"task": "color"}, "no item has a task with a readout"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_regions_that_do_not_match_their_items_are_refused(name, tmp_path):
    words = write_all(tmp_path, grid())
    (table, where), values, sentence = MISTAKES[name]
    change(tmp_path, table, where, **values)
    with pytest.raises(UserError, match=sentence.replace("(", r"\(")):
        run(tmp_path, words)


def test_an_item_without_regions_is_refused(tmp_path):
    words = write_all(tmp_path, grid())
    path = tmp_path / "regions.parquet"
    pl.read_parquet(path).filter(~FIRST).write_parquet(path)
    with pytest.raises(UserError, match="'q0003' has no region, though its task is 'semantic"):
        run(tmp_path, words)


def test_answers_of_another_model_or_without_an_item_are_refused(tmp_path):
    words = write_all(tmp_path, grid())
    items, _ = puzzles(12)
    path = tmp_path / "sighted.parquet"
    write_answers(path, items[:-1], lambda r, order: "(A)")
    at = words.index("--answers") + 1
    with pytest.raises(UserError, match="'q0011' is read out, but not answered"):
        run(tmp_path, [*words[:at], str(path), *words[at:]])
    change(tmp_path, "sighted", pl.lit(True), model="ear")
    with pytest.raises(UserError, match="model is 'ear', expected 'eye'"):
        run(tmp_path, [*words[:at], str(path), *words[at:]])


def test_gram_distances_are_exact_for_more_and_fewer_tokens_than_features():
    rng = np.random.default_rng(1)
    for d in (3, 40):
        regions = []
        for p in (11, 9, 13):
            weights = rng.uniform(0.5, 1, p)
            regions.append((rng.standard_normal((p, d)) + 2, weights / weights.sum()))
        grams = [(f * w[:, None]).T @ f for f, w in regions]
        expected = [-((grams[0] - g) ** 2).sum() for g in grams[1:]]
        assert score_gram(regions[0], regions[1:]) == pytest.approx(expected, rel=1e-9)


def test_scores_are_cosines_at_any_length_and_zero_for_zero_vectors():
    assert score_points(np.array([3.0, 0]), np.array([[1.0, 0], [0, 9], [0, 0]])) == pytest.approx(
        [1, 0, 0]
    )
    odd = score_odd(np.array([[1.0, 0], [2, 0.1], [0, 1]]))
    assert odd.argmax() == 2
    assert NAMES["model"] == "eye"
