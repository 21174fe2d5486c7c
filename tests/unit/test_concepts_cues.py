"""Planted cues win everywhere, mixtures keep their order, and noise is at chance."""

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

from eyechart.tables.concepts import ALL

CUES = ["word", "font", "background"]
SUMMED, DRAWN, SILENT = "vision.0/cls", "vision.1/cls", "vision.2/cls"
WEIGHTS = (0.3, 0.6, 0.1)  # weights of word, font, background


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    root = tmp_path_factory.mktemp("concepts")
    write_tables(root)
    images, items = read_rows(root)
    pure = {f"lm.{i}/last": planted(items, np.eye(3)[i], 128, 0.005) for i in range(3)}
    some = {
        SUMMED: planted(images, WEIGHTS, 64, 0.02, words=3),
        DRAWN: planted(images, WEIGHTS, 128, 0.005, drawn=True),
        SILENT: planted(images, (0, 0, 0), 512, 1.5),
    }
    manifests = [write_manifest(root, some), write_manifest(root, pure, "item")]
    answers = [write_answers(root, "word", orders=2)]
    return [pl.read_parquet(path) for path in run(root, manifests, answers)]


def column(table, name):
    address, span = name.split("/")
    return table.filter(address=address, span=span)


@pytest.mark.parametrize("cue", CUES)
@pytest.mark.parametrize("method", ["centroid", "knn"])
def test_a_planted_cue_wins_nearly_always_at_every_n(tables, cue, method):
    own = column(tables[0], f"lm.{CUES.index(cue)}/last").filter(method=method)
    shares = own.filter(cue=cue)
    assert shares["components"].to_list() == list(range(48))  # raw, then 8 x 6 - 1 components
    assert shares["share"].min() > 0.95
    assert (shares["p"] < 1e-4).all()
    assert (shares["q"] >= shares["p"]).all()
    others = own.filter(pl.col("cue").is_in([c for c in (*CUES, "other") if c != cue]))
    assert others["share"].max() < 0.05
    assert others["p"].null_count() == len(others)
    assert (own.filter(cue="congruent")["share"].min() > 0.95) == (cue != "background")


def test_shares_of_word_font_background_and_other_sum_to_one(tables):
    shares = tables[0].filter(pl.col("cue").is_in([*CUES, "other"]))
    key = ["scope", "address", "span", "prompt", "method", "components"]
    sums = shares.group_by(key).agg(pl.col("share").sum(), pl.col("chance").sum())
    assert sums["share"].to_list() == pytest.approx([1] * len(sums))
    assert sums["chance"].to_list() == pytest.approx([1] * len(sums))


@pytest.mark.parametrize("method", ["centroid", "knn"])
def test_a_sum_of_cues_gives_the_order_of_its_weights(tables, method):
    wide = column(tables[0], SUMMED).filter(method=method)
    wide = wide.pivot(on="cue", index="components", values="share")
    assert (wide["font"] > wide["word"]).all()
    at = wide.filter(pl.col("components") > 1)
    assert (at["word"] > at["background"]).mean() > 0.95
    assert at["background"].min() > 0


@pytest.mark.parametrize("method", ["centroid", "knn"])
def test_images_that_follow_cues_in_turn_give_their_shares_within_the_interval(tables, method):
    own = column(tables[0], DRAWN).filter(method=method)
    for cue, weight in zip(CUES, WEIGHTS, strict=True):
        shares = own.filter(cue=cue)
        assert shares["share"].to_list() == pytest.approx([weight] * len(shares), abs=0.08)
        covered = (shares["ci_low"] <= weight) & (shares["ci_high"] >= weight)
        assert covered.mean() > 0.9


def test_without_a_signal_cues_and_congruent_images_are_at_chance(tables):
    own = column(tables[0], SILENT).filter(pl.col("cue").is_in(CUES))
    inside = own.filter(pl.col("ci_low") <= pl.col("chance"), pl.col("chance") <= pl.col("ci_high"))
    # with independent rows, 95% would be expected; rows for neighbouring n are nearly equal
    assert len(inside) / len(own) > 0.8
    assert own["share"].mean() == pytest.approx(1 / 8, abs=0.02)
    assert (own["q"].drop_nulls() > 0.01).all()


def test_images_with_coinciding_cues_are_counted_separately(tables):
    counts = tables[0].select("cue", "n").unique().sort("cue")
    assert dict(counts.iter_rows()) == {
        **dict.fromkeys([*CUES, "other"], 8 * 7 * 6),
        "congruent": 8 * 7,
        "concept": 8 * 6,
    }


def test_answers_have_their_own_rows(tables):
    said = tables[0].filter(address="answer")
    shares = dict(said.select("cue", "share").iter_rows())
    assert shares == {
        "word": 1, "font": 0, "background": 0, "other": 0, "congruent": 1, "concept": 1,
    }  # fmt: skip
    assert set(said["method"]) == {"answer"}
    assert said["components"].null_count() == len(said)


def test_concepts_separate_and_permuted_labels_do_not(tables):
    table = tables[1]
    own = column(table, "lm.0/last")
    assert own["accuracy"].min() > 0.9
    assert own["needed"].unique().to_list() == [1]
    assert own["ratio"].min() > 20
    assert own["control"].max() < 0.2
    assert table["control"].mean() == pytest.approx(1 / 8, abs=0.02)
    assert (table["ratio_low"] < table["ratio"]).all()
    assert (table["ratio"] < table["ratio_high"]).all()
    explained = own.filter(pl.col("components") > 0)["explained"]
    assert explained.is_sorted()
    assert explained[-1] == pytest.approx(1)


def test_the_number_of_needed_components_follows_the_lower_bound(tables):
    noisy = column(tables[1], SILENT).sort("components")
    above = noisy.filter(pl.col("components") > 0, pl.col("ci_low") > pl.col("threshold"))
    assert noisy["needed"].unique().to_list() == [above["components"].min()]
    assert above["components"].min() is None or above["components"].min() > 1


def test_every_image_has_coordinates_and_a_nearest_colour(tables):
    places = column(tables[2], "lm.1/last")
    assert len(places) == 448 + 48
    words = places.filter(pl.col("word").is_not_null())
    assert (words["nearest"] == words["font"]).mean() > 0.95
    assert set(words["nearest"]) == set(words["voted"]) == set(NAMES)
    assert places.filter(pl.col("concept").is_not_null())["nearest"].null_count() == 48
    assert set(places["components"]) == {5}
    assert places["rgb"].null_count() == 0


def test_several_prompts_are_reported_separately_and_pooled(tmp_path):
    names = NAMES[:4]
    write_tables(tmp_path, 3, names, prompts=("What color?", "Which color is it?"))
    _, items = read_rows(tmp_path)
    font, word = (planted(items, w, 64, 0.05, names) for w in ((0, 1, 0), (1, 0, 0)))
    first = [[item["prompt"] == "What color?"] for item in items]
    vectors = {"lm.0/last": word * first + font * [[not f[0]] for f in first]}
    cues, apart, _ = map(
        pl.read_parquet, run(tmp_path, [write_manifest(tmp_path, vectors, "item")])
    )
    at = cues.filter(components=3, method="centroid").pivot(
        on="cue", index="prompt", values="share"
    )
    shares = {row["prompt"]: (row["word"], row["font"]) for row in at.to_dicts()}
    assert shares["What color?"] == pytest.approx((1, 0), abs=0.1)
    assert shares["Which color is it?"] == pytest.approx((0, 1), abs=0.1)
    assert shares[ALL] == pytest.approx((0.5, 0.5), abs=0.1)
    pooled = cues.filter(prompt=ALL, cue="font")
    assert set(pooled["n"]) == {2 * 4 * 3 * 2}
    assert set(pooled["groups"]) == set(cues.filter(prompt="What color?", cue="font")["groups"])
    assert set(apart["prompt"]) == {"What color?", "Which color is it?"}
