"""Readouts of every task score 1 on planted features, and chance on noise or shuffled tokens."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from planted_activations_fixture import (
    NAMES,
    PX,
    SIDE,
    Row,
    grid,
    item,
    region,
    write_answers,
    write_dataset,
    write_source,
)

from eyechart.readout import read_out
from eyechart.readout.scoring import score_readouts
from eyechart.tables.parquet import read_table

N = 48
RNG = np.random.default_rng(5)
Tokens = Callable[[str, np.ndarray], np.ndarray]


def position(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return smooth features of positions in a scene that distinguish positions."""
    waves = np.array([1, 2, 3, 5]) * 2 * np.pi / 160
    parts = [f(w * v) for v in (x, y) for w in waves for f in (np.sin, np.cos)]
    return np.stack(parts, axis=-1)


class Puzzles:
    """Items of one task, shown alone (a row per image) and side by side on a canvas."""

    def __init__(self, task: str, letters: str, pictures: int, reference: bool):
        self.items: list[Row] = []
        self.regions: list[Row] = []
        self.truth: dict[str, np.ndarray] = {}
        for i in range(N):
            answer = letters[RNG.integers(len(letters))]
            views = [f"p{i:03d}_{k}" for k in range(pictures)]
            canvas = f"p{i:03d}_canvas"
            row = item(i, task, letters, answer, [canvas])
            self.items.append(row)
            own = getattr(self, task.rsplit("_", maxsplit=1)[-1])(row, views, letters, answer)
            for name, picture, *box in own:
                at = views.index(picture)
                moved = [v + at * PX * (k % 2 == 0) for k, v in enumerate(box)]
                self.regions.append(region(row, "alone", picture, name, *box))
                self.regions.append(region(row, "canvas", canvas, name, *moved))
            self.truth[canvas] = np.concatenate(
                [self.truth[v].reshape(SIDE, SIDE, -1) for v in views], axis=1
            ).reshape(SIDE * SIDE * pictures, -1)
            self.places = {
                True: grid(),
                False: grid(SIDE, SIDE * pictures, (0, 0, PX * pictures, PX)),
            }

    def correspondence(self, row, views, letters, answer):
        """Two views of one scene, the second moved."""
        shift = RNG.uniform(-20, 20, 2)
        for k, view in enumerate(views):
            x, y = (grid()[:, [3, 4]] + 5 + k * shift).T
            self.truth[view] = position(x, y)
        spots = RNG.uniform(25, 55, (1, 2)) + np.array([[0, 0], [14, 0], [0, 14], [14, 14]]) - 7
        at = dict(zip(letters, spots[RNG.permutation(4)], strict=True))
        ref = at[answer] + shift
        return [("REF", views[0], *ref), *((k, views[1], *at[k]) for k in letters)]

    def style(self, row, views, letters, answer):
        """Each style has its own directions; REF has the answer's style."""
        styles = [RNG.standard_normal((3, 12)) for _ in range(2)]
        for name, view in zip(["REF", *letters], views, strict=True):
            own = styles[0 if name in ("REF", answer) else 1]
            self.truth[view] = RNG.standard_normal((SIDE * SIDE, 3)) @ own
        return [(n, v, 0, 0, PX, PX) for n, v in zip(["REF", *letters], views, strict=True)]

    def out(self, row, views, letters, answer):
        """All images but one show the same object."""
        objects = RNG.standard_normal((2, 12))
        for name, view in zip(letters, views, strict=True):
            noise = 0.3 * RNG.standard_normal((SIDE * SIDE, 12))
            self.truth[view] = objects[int(name == answer)] + noise
        return [(n, v, 0, 0, PX, PX) for n, v in zip(letters, views, strict=True)]

    def write(self, root: Path, features: Callable[[np.ndarray], np.ndarray]) -> list[str]:
        """Write all files, with ``features`` of the truth at each address; return the flags."""
        write_dataset(root, self.items, self.regions)
        ids = sorted(self.truth)
        tokens = [features(self.truth[i]).astype(np.float32) for i in ids]
        places = [self.places["canvas" not in i] for i in ids]
        cls = np.stack([one.mean(0) for one in tokens])
        source = write_source(
            root / "image",
            ids,
            {"vision.0": tokens, "lm.1": tokens},
            {"vision": places, "lm": places},
            cls={"vision.0": cls},
        )
        return flags(root, [source])


def flags(root: Path, manifests: list[Path], heads: list[Path] | None = None) -> list[str]:
    answers = [str(p) for p in [root / "sighted.parquet"] if p.exists()]
    words = ["--model", NAMES["model"], "--dataset", NAMES["dataset"]]
    for name in ("items", "regions", "scores", "predictions"):
        words += [f"--{name}", str(root / f"{name}.parquet")]
    words += ["--manifests", *map(str, manifests), "--answers", *answers]
    words += ["--heads", *map(str, heads or [])]
    return [*words, "--seed", "7", "--threads", "1"]


def run(root: Path, words: list[str]) -> pl.DataFrame:
    read_out.main(words)
    return pl.DataFrame(read_table(root / "scores.parquet"))


KINDS = {
    "semantic_correspondence": ("ABCD", 2, True, {"points"}),
    "art_style": ("AB", 3, True, {"gram"}),
    "odd_one_out": ("ABC", 3, False, {"mean", "cls"}),
}


@pytest.fixture(scope="module")
def puzzles() -> dict[str, Puzzles]:
    return {task: Puzzles(task, *kind[:3]) for task, kind in KINDS.items()}


@pytest.mark.parametrize("task", KINDS)
def test_perfect_features_score_1_and_shuffled_ones_chance(puzzles, task, tmp_path):
    found = run(tmp_path, puzzles[task].write(tmp_path, lambda truth: truth))
    own = found.filter(~pl.col("readout").str.ends_with("/shuffled"))
    assert set(own["readout"]) == KINDS[task][3]
    assert own["value"].to_list() == [1.0] * len(own)
    assert set(own["n"]) == {N} and set(own["seen"]) == {"alone", "canvas"}
    assert set(own["address"]) == {"vision.0", "lm.1"}
    control = found.filter(pl.col("readout").str.ends_with("/shuffled"))
    assert control.select("seen", "address", "readout").height == own.height
    # over independent shuffles, the share of correct answers is binomial
    right, n = (control["value"] * control["n"]).sum(), control["n"].sum()
    chance = 1 / len(KINDS[task][0])
    assert abs(right / n - chance) < 3.5 * (chance * (1 - chance) / n) ** 0.5


@pytest.mark.parametrize("task", KINDS)
def test_noise_scores_chance_within_its_interval(puzzles, task, tmp_path):
    rng = np.random.default_rng(2)
    words = puzzles[task].write(tmp_path, lambda t: rng.standard_normal((len(t), 16)))
    found = run(tmp_path, words)
    wide = (found["ci_high"] - found["ci_low"]) / 2  # allow 3.5 sigma where the interval is 1.96
    assert ((found["value"] - found["chance"]).abs() <= wide * 3.5 / 1.96).all()
    assert found["chance"].to_numpy() == pytest.approx(1 / len(KINDS[task][0]))


@pytest.mark.parametrize("task", KINDS)
def test_equal_features_score_chance_not_the_first_letter(puzzles, task, tmp_path):
    words = puzzles[task].write(tmp_path, lambda t: np.full((len(t), 7), 0.1))
    run(tmp_path, words)
    said = pl.DataFrame(read_table(tmp_path / "predictions.parquet"))
    shares = said.group_by("predicted").len()["len"] / len(said)
    c = len(KINDS[task][0])
    assert len(shares) == c
    assert ((shares - 1 / c).abs() < 4 * ((c - 1) / c**2 / len(said)) ** 0.5).all()


def test_the_paired_test_uses_answers_to_the_same_items(puzzles, tmp_path):
    own = puzzles["semantic_correspondence"]
    write_answers(tmp_path / "sighted.parquet", own.items, lambda r, order: ["(A)", "(B)"][order])
    found = run(tmp_path, own.write(tmp_path, lambda truth: truth))
    share = np.mean([0.5 * (r["answer"] in ("(A)", "(B)")) for r in own.items])
    assert found["answer"].to_numpy() == pytest.approx(share)
    read = found.filter(readout="points")
    assert read["difference"].to_numpy() == pytest.approx(1 - share)
    assert (read["q"] >= read["p"]).all() and (read["q"] < 1e-9).all()
    control = found.filter(readout="points/shuffled")
    assert control["p"].null_count() == control["q"].null_count() == len(control)


def test_scores_can_be_recomputed_from_predictions(puzzles, tmp_path):
    found = run(
        tmp_path, puzzles["art_style"].write(tmp_path, lambda t: t + RNG.normal(size=t.shape))
    )
    said = pl.DataFrame(read_table(tmp_path / "predictions.parquet"))
    again = said.group_by("task", "seen", "address", "readout").agg(
        (pl.col("predicted") == pl.col("answer")).mean().alias("again"), pl.len().alias("rows")
    )
    both = found.join(again, on=["task", "seen", "address", "readout"])
    assert len(both) == len(found) == len(again)
    assert both["again"].to_numpy() == pytest.approx(both["value"].to_numpy())
    assert both["rows"].to_list() == both["n"].to_list()
    best = said["scores"].list.arg_max()
    assert ["(A)", "(B)"][best[0]] == said["predicted"][0]


def test_a_second_run_gives_the_same_bytes(puzzles, tmp_path):
    words = puzzles["odd_one_out"].write(tmp_path, lambda t: np.ones((len(t), 3)))
    run(tmp_path, words)
    paths = [tmp_path / name for name in ("scores.parquet", "predictions.parquet")]
    before = [path.read_bytes() for path in paths]
    run(tmp_path, words)
    assert before == [path.read_bytes() for path in paths]


@pytest.mark.parametrize("groups", [["a"] * 4, list("abcd")])
def test_the_interval_of_four_items_is_never_a_single_point(groups):
    # one group of four used to give [.75, .75], and four correct items [1, 1]
    for right in (3, 4):
        items = [
            SimpleNamespace(
                task="odd_one_out",
                item_id=f"i{i}",
                group=group,
                answer="A",
                seen="alone",
                choices="AB",
            )
            for i, group in enumerate(groups)
        ]
        found = [
            SimpleNamespace(
                item=item, address="vision.0", readout="cls", chosen="A" if i < right else "B"
            )
            for i, item in enumerate(items)
        ]
        (row,) = score_readouts(found, items, {}, {"model": "m", "dataset": "d"})
        assert (row["value"], row["n"], row["groups"]) == (right / 4, 4, len(set(groups)))
        assert row["ci_low"] < row["value"] - 0.2
        assert row["ci_high"] - row["ci_low"] > 0.4
