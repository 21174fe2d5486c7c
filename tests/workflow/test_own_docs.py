"""The page on users' own data, followed exactly: its files, configs and commands."""

import re
import shlex

import polars as pl
import pytest
from mmvp_fixture import draw
from project import ROOT, Project, snakemake

pytestmark = pytest.mark.workflow
PAGE = (ROOT / "docs/own_data.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.create(tmp_path_factory.mktemp("letter") / "project")


def type_in(project: Project, line: str) -> str:
    """Run a command of the page unchanged, with the Python of these tests."""
    program, *words = shlex.split(line)
    assert program == "snakemake"
    done = snakemake(project.folder, *words)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_example_gives_the_documented_results(project: Project) -> None:
    folder = project.path("mine")
    for n, name in enumerate(("beach.png", "port/ferry.png")):
        draw(folder / name, n)
    (folder / "questions.csv").write_text(*blocks("csv"), encoding="utf-8")
    project.path("mine.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    check, run = (line for block in blocks("sh") for line in block.splitlines())
    told = type_in(project, check)
    assert [
        line.split("|")[2].strip() for line in told.splitlines() if line.startswith("| mine")
    ] == [*("presence", "counting", "reading", "comparing", "weather")]
    assert "1 of its 5 items have several images and are skipped by tiny_clip" in told
    assert not project.path("results").exists()
    type_in(project, run)
    folder = project.path("results")
    items = pl.read_parquet(folder / "datasets/mine/items.parquet")
    assert (len(items), items["group"].n_unique(), len(set(items["task"]))) == (5, 1, 4)
    images = pl.read_parquet(folder / "datasets/mine/images.parquet")
    assert sorted(images["label/weather"]) == ["foggy", "sunny"]
    for model, count in (("tiny_llava", 5), ("tiny_clip", 4)):
        said = folder / f"behavior/responses/{model}/mine"
        assert len(pl.read_parquet(said / "sighted.parquet")) == count
        assert len(pl.read_parquet(said / "swapped.parquet")) == 0, "there is only one group"
    page = folder.joinpath("report/index.html").read_text()
    assert "The task is not probed: fewer than two answers" in page
    assert "Not answered by this model: 1 item (2 images" in page
    assert "another item&#39;s image" in page or "another item's image" in page


def test_a_folder_of_photographs_has_one_question_per_image(project: Project) -> None:
    draw(project.path("photos/a b.jpg"), 1)
    draw(project.path("photos/more/{c}.png"), 2)
    text = f"models: [tiny_llava]\n{blocks('yaml')[1]}"
    project.path("photos.yaml").write_text(text, encoding="utf-8")
    wanted = "results/behavior/responses/tiny_llava/photos/sighted.parquet"
    type_in(project, f"snakemake --cores 2 {wanted} --configfile photos.yaml")
    said = pl.read_parquet(project.path(wanted)).sort("item_id")
    assert said["item_id"].to_list() == ["a b.jpg", "more/{c}.png"]
    assert set(said["prompt"]) == {"What is in this picture?"}
    assert said["text"].null_count() == 0
