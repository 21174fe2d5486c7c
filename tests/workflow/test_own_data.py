"""A user's table and three lines of config yield answers, a page, and probes if rows suffice."""

import csv
import re
from collections import Counter, defaultdict
from html import unescape
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from project import Project

pytestmark = pytest.mark.workflow
MODELS = ["tiny_llava", "tiny_clip"]
SIZES = (6, 60, 600)
HEADER = ["image", "prompt", "choices", "answer", "task"]
TWO = "Which is brighter?"


def make(folder: Path, count: int) -> None:
    """Write images and a table; six rows include three closed, one open, one about two images."""
    folder.mkdir()
    rows = []
    for n in range(count):
        draw = np.random.default_rng(n)
        pixels = np.full((40, 56, 3), draw.integers(0, 255, 3), np.uint8)
        pixels[8:30, 10:40] = draw.integers(0, 255, 3)
        Image.fromarray(pixels).save(folder / f"p {n}.png")
        turn = n // 6 % 2
        rows.append(
            [
                [f"p {n}.png", "Is it dark?", "yes|no", ("yes", "no")[turn], "Dark?"],
                [f"p {n}.png", "Is it dark?", "yes|no", ("no", "yes")[turn], "Dark?"],
                [f"p {n}.png", "How many?", '["1", "2"]', ("1", "2")[turn], "Zählen"],
                [f"p {n}.png", "What is it?", "", "nothing", "open"],
                [f"p {n}.png|p {n - 1}.png", TWO, "first|second", "first", "two"],
                [f"p {n}.png", "Which?", "a|b|c", "c" if n == 5 else "ab"[turn], "rare"],
            ][n % 6]
        )
    with (folder / "questions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Tables of all sizes, examined in a project whose path has braces and spaces."""
    project = Project.create(tmp_path_factory.mktemp("own") / "my {project} (it's v2)")
    for size in SIZES:
        make(project.path(f"mine{size}"), size)
    mine = {f"m{n}": {"path": f"mine{n}/questions.csv"} for n in SIZES}
    mine = {name: {"layout": "table", "source": "local", **own} for name, own in mine.items()}
    project.config = {"models": MODELS, "datasets": mine}
    project.configure({})
    project.finish()
    return project


def table(project: Project, size: int) -> list[dict[str, str]]:
    """Return the user's rows, read with only the csv module."""
    with project.path(f"mine{size}/questions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(project: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(project.path(f"results/{name}.parquet"))


def task_of(row: dict[str, str]) -> str:
    return {"Dark?": "dark", "Zählen": "zählen"}.get(row["task"], row["task"])


@pytest.mark.parametrize("size", SIZES)
def test_scores_equal_a_manual_count(examined: Project, size: int) -> None:
    rows = table(examined, size)
    for model in MODELS:
        taken = [r for r in rows if model == "tiny_llava" or "|" not in r["image"]]
        truth = {f"all_{n:06d}": row for n, row in enumerate(rows, 1) if row in taken}
        said = read(examined, f"behavior/responses/{model}/m{size}/sighted")
        assert set(said["item_id"]) == set(truth)
        right: dict[str, list[bool]] = defaultdict(list)
        for item, predicted in said.select("item_id", "predicted").iter_rows():
            if truth[item]["choices"]:
                right[task_of(truth[item])].append(predicted == truth[item]["answer"])
        scores = read(examined, f"behavior/scores/{model}/m{size}")
        found = scores.filter(metric="accuracy", condition="sighted")
        right["all"] = [one for own in list(right.values()) for one in own]
        values = {task: (pytest.approx(np.mean(own)), len(own)) for task, own in right.items()}
        assert {r["task"]: (r["value"], r["n"]) for r in found.to_dicts()} == values
        widths = (found["ci_high"] - found["ci_low"]).filter(found["groups"] < 10)
        assert (widths > 0.2).all(), "few groups have a wide interval even if all are right"


@pytest.mark.parametrize("size", SIZES)
def test_probes_are_trained_if_rows_suffice(examined: Project, size: int) -> None:
    folder = examined.path(f"results/probing/tiny_llava/m{size}")
    names = {path.name.split(".")[0] for path in folder.glob("*.parquet")}
    assert names == {6: set(), 60: {"dark"}, 600: {"dark", "zählen", "rare"}}[size]
    assert not examined.path(f"results/probing/tiny_clip/m{size}").exists()
    rows = Counter(task_of(row) for row in table(examined, size))
    for task in names:
        majority = read(examined, f"probing/tiny_llava/m{size}/{task}").row(0, named=True)
        counted = majority["n_train"] + majority["n_test"] + (task == "rare")
        assert counted == rows[task]
        assert majority["left_out"] == ("c (1)" if task == "rare" else None)
        assert abs(majority["n_test"] - rows[task] / 4) <= 3


def test_the_page_is_about_the_users_data(examined: Project) -> None:
    page = examined.path("results/report/index.html").read_text()
    page = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    text = unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))
    for size in SIZES:
        assert f"tiny_llava on m{size}" in text
        several = f"Not answered by this model: {size // 6} item{'s' * (size > 6)} (2 images"
        assert several in text
    assert "m6 dark all The task is not probed: of" not in text
    assert "m6 dark all The task is not probed: fewer than two answers" in text
    assert "m60 zählen all The task is not probed: 10 rows" in text
    assert "m600 rare tiny_llava Classes in too few training groups are left out" in text
    assert "c (1)" in text
    headings = re.findall(r"<(?:h\d|summary|th)\b[^>]*>(.*?)</", page, re.DOTALL)
    assert len(headings) > 20
    assert not [one for one in headings if "clevr" in one.lower()]


def test_nothing_reruns_and_names_are_safe_in_the_check(examined: Project) -> None:
    assert examined.plan() == {}
    told = examined.finish("check_data")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines()]
    cells = {(row[0], row[1]): row[2:] for row in rows if len(row) == 8}
    majority = read(examined, "probing/tiny_llava/m600/rare").row(0, named=True)
    sizes = [majority[key] for key in ("n_classes", "n_train", "n_test")]
    assert cells["m600", "rare"] == ["100", *map(str, sizes), "tiny_llava", "c (1)"]
    assert cells["m6", "dark"][4] == "none"
    assert "m6 is answered by tiny_llava, tiny_clip." in told
    assert "0 jobs" in told


def test_six_rows_take_less_than_two_minutes_of_work(examined: Project) -> None:
    """The time is processor time of all jobs for the six rows, and of jobs shared with more
    rows."""
    folder = examined.path("benchmarks")
    files = [path for path in folder.rglob("*.jsonl") if "m6/" in f"{path.with_suffix('')}/"]
    shared = [*folder.glob("*.jsonl"), *(folder / "decide").glob("*.jsonl")]
    assert len(files) > 5
    assert sum(pl.read_ndjson(path)["cpu_time"].sum() for path in (*files, *shared)) < 120
