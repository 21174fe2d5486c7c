"""Encoders and VLMs on hand-computed miniatures of MMVP and MMVP-VLM, and their correlations."""

import json
import logging

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from fake_answers import answer, item, score, values
from scipy import stats

from eyechart.behavior import compare_patterns
from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.statistics.correlation import correlate
from eyechart.tables.parquet import write_table
from eyechart.tables.scores import CORRELATIONS, PATTERNS, SCORES


def mixed(rows, seed=0):
    """Return rows in a shuffled order."""
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]


def test_hand_computed_mmvp_pairs_follow_ids_not_rows(tmp_path):
    # pattern: the true answers of both items of each pair, and the given answers
    pairs = {
        1: ("color", ["red", "blue"], ["red", "blue"]),  # both right
        2: ("color", ["big", "small"], ["big", "big"]),  # one right
        3: ("color", ["on", "off"], ["off", "on"]),  # none right
        4: ("text", ["A", "B"], ["A", "B"]),  # both right
        5: ("text", ["up", "down"], ["up", "down"]),  # both right
    }
    items, said = [], []
    for number, (pattern, truth, predicted) in pairs.items():
        shared = {"group": f"pair_{number:03d}", "pair": f"pair_{number:03d}", "task": pattern}
        for index, right, prediction in zip((0, 1), truth, predicted, strict=True):
            name = f"{2 * number - 1 + index:03d}"
            items.append(item(name, right, truth, **shared))
            said.append(answer(name, "sighted", 0, prediction, truth))
    scores, _ = score(tmp_path, mixed(items), {"sighted": mixed(said, seed=1)})
    assert values(scores)["pair_accuracy"] == pytest.approx(3 / 5, abs=1e-9)
    assert values(scores)["accuracy"] == pytest.approx(7 / 10, abs=1e-9)
    assert values(scores, task="color")["pair_accuracy"] == pytest.approx(1 / 3, abs=1e-9)
    assert values(scores, task="color")["accuracy"] == pytest.approx(1 / 2, abs=1e-9)
    assert values(scores, task="text")["pair_accuracy"] == 1
    assert values(scores, column="chance")["pair_accuracy"] == 0.25
    assert values(scores, column="n")["pair_accuracy"] == 5
    assert values(scores, task="color", column="n")["pair_accuracy"] == 3


def test_hand_computed_mmvp_vlm_pairs_follow_ids_not_rows(tmp_path):
    # the image picked for both statements of a pair; odd ids are true of the first image
    picks = {
        "state": [("first", "second"), ("first", "first"), ("second", "first")],
        "position": [("first", "second"), ("second", "second")],
    }
    items, said, number = [], [], 0
    for pattern, chosen in picks.items():
        for pick in chosen:
            pair = f"{number // 2:03d}"
            for picked in pick:
                number += 1
                name = f"{number:03d}"
                truth = "first" if number % 2 else "second"
                shared = {"group": pair, "pair": pair, "task": pattern, "images": ["a", "b"]}
                items.append(item(name, truth, ["first", "second"], **shared))
                said.append(answer(name, "sighted", 0, picked, ["first", "second"]))
    scores, _ = score(tmp_path, mixed(items), {"sighted": mixed(said, seed=1)})
    assert values(scores, task="state")["pair_accuracy"] == pytest.approx(1 / 3, abs=1e-9)
    assert values(scores, task="state")["accuracy"] == pytest.approx(1 / 2, abs=1e-9)
    assert values(scores, task="position")["pair_accuracy"] == pytest.approx(1 / 2, abs=1e-9)
    assert values(scores)["pair_accuracy"] == pytest.approx(2 / 5, abs=1e-9)


def table(path, model, dataset, accuracy):
    """Write a score table that has pair accuracies by pattern, and other rows."""
    rows = [
        {
            "model": model,
            "dataset": dataset,
            "condition": condition,
            "task": pattern,
            "metric": metric,
            "value": value if (condition, metric) == ("sighted", "pair_accuracy") else -1.0,
            "chance": 0.25,
            "n": 15,
            "groups": 15,
        }
        for pattern, value in (accuracy | {"all": np.mean([*accuracy.values()])}).items()
        for condition in ("sighted", "blank")
        for metric in ("accuracy", "pair_accuracy")
    ]
    write_table(path, pa.Table.from_pylist(rows, SCORES))
    return path


def run(folder, tables, kinds, permutations=5040, bootstrap=200):
    """Run the step on ``{(model, dataset): accuracies}``; return patterns and correlations."""
    folder.mkdir(exist_ok=True)
    scores = [
        table(folder / f"{i}.parquet", *names, accuracy)
        for i, (names, accuracy) in enumerate(tables.items())
    ]
    cards = [folder / f"{model}.json" for model in kinds]
    for path, (model, kind) in zip(cards, kinds.items(), strict=True):
        path.write_text(json.dumps({"model": model, "kind": kind}))
    settings = json.dumps({"bootstrap": bootstrap, "permutations": permutations})
    out = folder / "patterns.parquet", folder / "correlations.parquet"
    argv = ["--scores", *map(str, scores), "--cards", *map(str, cards), "--settings", settings]
    argv += ["--seed", "0", "--patterns", str(out[0]), "--correlations", str(out[1])]
    compare_patterns.main(argv)
    return tuple(pl.read_parquet(path) for path in out)


KINDS = {"clip": "encoder", "llava": "vlm", "blip": "vlm"}
CLIP = {"color": 0.5, "text": 0.1, "state": 0.3, "position": 0.2}
LLAVA = {"state": 0.4, "position": 0.3, "text": 0.2, "color": 0.6}  # in another order


def test_every_encoder_is_compared_with_every_vlm_on_common_patterns(tmp_path):
    blip = {"color": 0.1, "text": 0.1, "state": 0.9, "viewpoint": 1.0}
    patterns, found = run(
        tmp_path,
        {("clip", "vlm_pairs"): CLIP, ("llava", "pairs"): LLAVA, ("blip", "pairs"): blip},
        KINDS,
    )
    assert patterns.schema == pl.DataFrame(PATTERNS.empty_table()).schema
    own = patterns.filter(model="clip").select("pattern", "accuracy", "kind", "pairs")
    assert own.filter(pattern="color").row(0) == ("color", 0.5, "encoder", 15)
    assert own.filter(pattern="all")["accuracy"][0] == pytest.approx(0.275)
    assert len(patterns) == 15, "only sighted pair accuracies"
    assert found.select("encoder", "vlm", "kind", "n").rows() == [
        ("clip", "blip", "pearson", 3),
        ("clip", "blip", "spearman", 3),
        ("clip", "llava", "pearson", 4),
        ("clip", "llava", "spearman", 4),
    ]
    x, y = zip(*((CLIP[p], LLAVA[p]) for p in CLIP), strict=True)
    row = found.row(2, named=True)
    assert row["r"] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
    assert found["r"][3] == pytest.approx(1)
    assert found["p"][3] == pytest.approx(2 / 24), "only two of 24 orders are as far from 0"
    assert (row["encoder_dataset"], row["vlm_dataset"]) == ("vlm_pairs", "pairs")
    assert (found["q"] >= found["p"]).all()


def test_too_few_or_constant_patterns_give_null_not_an_error(tmp_path):
    few = {"color": 0.5, "text": 0.1}
    flat = dict.fromkeys(CLIP, 0.25)
    tables = {("clip", "a"): CLIP, ("llava", "b"): few, ("blip", "b"): flat}
    _, found = run(tmp_path, tables, KINDS)
    assert found["n"].to_list() == [4, 4, 2, 2]
    for column in ("r", "ci_low", "ci_high", "p", "q"):
        assert found[column].null_count() == 4
    _, found = run(
        tmp_path / "unknown", {("clip", "a"): CLIP, ("llava", "b"): {"mmvp": 0.5}}, KINDS
    )
    assert found["n"].to_list() == [0, 0]


def test_a_single_model_has_patterns_but_no_correlations(tmp_path):
    patterns, found = run(tmp_path, {("llava", "pairs"): LLAVA}, KINDS)
    assert len(patterns) == 5
    assert found.schema == pl.DataFrame(CORRELATIONS.empty_table()).schema and len(found) == 0


def test_a_table_without_pairs_is_left_out_with_a_warning(tmp_path, caplog):
    path = table(tmp_path / "x.parquet", "llava", "pairs", LLAVA)
    scores = pl.read_parquet(path).filter(metric="accuracy")
    write_table(tmp_path / "y.parquet", scores.to_arrow().cast(SCORES))
    with caplog.at_level(logging.WARNING):
        patterns = compare_patterns.read_patterns([tmp_path / "y.parquet", path], KINDS)
    assert len(patterns) == 5
    assert "y.parquet: no pairs; left out" in caplog.text


def test_models_without_cards_and_duplicate_tables_are_refused(tmp_path):
    with pytest.raises(UserError, match="model 'lava' has no card; did you mean 'llava'"):
        run(tmp_path, {("lava", "pairs"): LLAVA}, KINDS)
    path = str(table(tmp_path / "x.parquet", "llava", "pairs", LLAVA))
    with pytest.raises(UserError, match="a second table of model 'llava' and dataset 'pairs'"):
        compare_patterns.read_patterns([path, path], KINDS)


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_exact_p_uses_all_permutations(kind):
    rng = np.random.default_rng(0)
    x, y = rng.random(6), np.round(rng.random(6), 1)
    found = correlate(x, y, kind, 100, 720, rng)
    of = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[kind]
    expected = stats.permutation_test(
        (y,), lambda z: abs(of(x, z).statistic), permutation_type="pairings",
        n_resamples=np.inf, alternative="greater", vectorized=False,
    )  # fmt: skip
    assert found.r == pytest.approx(of(x, y).statistic, abs=1e-9)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-9)
    random = correlate(x, y, kind, 100, 719, generator("p"))
    assert random.p == pytest.approx(found.p, abs=0.06)


def test_nine_patterns_are_few_enough_for_an_exact_p():
    x = np.arange(9.0)
    assert correlate(x, x, "pearson", 50, 362_880, np.random.default_rng(0)).p == 2 / 362_880
    assert correlate(x, x, "pearson", 50, 99, np.random.default_rng(0)).p == 1 / 100


def test_without_correlation_p_is_uniform_and_the_interval_includes_zero():
    rng = np.random.default_rng(0)
    found = [correlate(*rng.random((2, 7)), "pearson", 200, 5040, rng) for _ in range(200)]
    p = np.array([f.p for f in found])
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert np.mean([f.ci_low <= 0 <= f.ci_high for f in found]) > 0.75, "too narrow"


def test_a_planted_correlation_is_found():
    rng = np.random.default_rng(1)
    x = rng.random(9)
    found = correlate(x, x + 0.1 * rng.standard_normal(9), "spearman", 500, 362_880, rng)
    assert found.r > 0.7 and found.p < 0.05 and found.ci_low > 0


def test_an_interval_is_null_if_most_resamples_are_constant():
    x, y = np.zeros(9), np.zeros(9)
    x[0] = y[1] = 1
    found = correlate(x, y, "pearson", 400, 100, np.random.default_rng(0))
    assert found.r == pytest.approx(-1 / 8)
    assert found.p == 1  # no order of the points brings r closer to 0
    assert found.ci_low is None and found.ci_high is None
