"""Sizes of datasets: as prepared, as released, and from users' own files."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from eyechart.plan import configuration, counts
from eyechart.plan.config.check import check
from eyechart.plan.resources import JobResources

WEEK = 7 * 24 * 60
NOWHERE = "no results"  # a folder without results, so no dataset is prepared


def filled(datasets: dict[str, Any], **more: Any) -> dict[str, Any]:
    return check({"models": ["llava_1_5_7b"], "datasets": datasets, **more}, [])


def minutes(config: dict[str, Any], dataset: str, name: str = "behavior_minutes") -> int:
    sizes = JobResources(config, configuration.read_specs(), NOWHERE)
    job = SimpleNamespace(model="llava_1_5_7b", dataset=dataset, scope="item")
    found = getattr(sizes, name)(job, attempt=1)
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    ("layout", "more", "images", "items"),
    [
        ("mmvp", {}, 300, 300),
        ("mmvp_vlm", {}, 270, 270),
        ("clevr", {}, 15_000, 150_000),
        ("clevr", {"splits": ["train", "val"]}, 85_000, 850_000),
        ("coco", {"subset": 2690}, 2690, 29_590),
        ("coco", {"splits": ["train2017"]}, 118_287, 1_301_157),
        ("blink", {}, 2752, 688),
        ("blink", {"skills": ["art_style"], "most": 100}, 400, 100),
        ("cv_bench", {}, 1200, 600),
        ("mochi", {}, 10_095, 2019),
        ("spair", {"splits": ["val"]}, 16_152, 5384),
        ("hpatches", {}, 1740, 580),
        ("nyuv2", {}, 1449, 0),
    ],
)
def test_a_released_dataset_has_its_known_size(
    layout: str, more: dict[str, Any], images: int, items: int, tmp_path: Path
) -> None:
    config = filled({"d": {"layout": layout, "source": "download", **more}})
    size = counts.count("d", counts.expected(config, "d"), str(tmp_path))
    assert (size.images, size.items) == (images, items)


def test_captions_of_rendered_scenes_count_as_open_items(tmp_path: Path) -> None:
    scenes = {"layout": "clevr", "source": "render", "splits": {"val": 30}}
    for captions in (0, 1):
        config = filled({"d": {**scenes, "questions": {"caption": captions}}})
        size = counts.count("d", counts.expected(config, "d"), str(tmp_path))
        assert (size.images, size.items, size.open) == (30, 30 * (6 + captions), 30 * captions)


def test_answering_mmvp_requests_hours_not_weeks() -> None:
    """It once requested 47,936 minutes."""
    config = filled({"mmvp": {"layout": "mmvp", "source": "download"}})
    assert 10 < minutes(config, "mmvp") < 120


ROW = {"image": "a.png", "prompt": "Red, or\nblue?", "choices": ["red", "blue"], "answer": "red"}
ROW |= {"task": "color"}


def arrow(path: Path, table: pa.Table) -> None:
    state = {"_data_files": [{"filename": path.name}]}
    (path.parent / "state.json").write_text(json.dumps(state))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS = {
    "csv": lambda path: path.write_text("image,prompt,answer,task\n" + "a.png,Red?,yes,t\n" * 6),
    "jsonl": lambda path: path.write_text((json.dumps(ROW) + "\n") * 6),
    "parquet": lambda path: pq.write_table(pa.Table.from_pylist([ROW] * 6), path),
    "arrow": lambda path: arrow(path, pa.Table.from_pylist([ROW] * 6)),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_of_user_data_are_counted(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"data/mine.{kind}"
    path.parent.mkdir()
    WRITERS[kind](path)
    layout, given = ("hf", path.parent) if kind == "arrow" else ("table", path)
    config = filled({"mine": {"layout": layout, "source": "local", "path": str(given)}})
    assert 6 <= counts.count("mine", counts.expected(config, "mine"), str(tmp_path)).items <= 8
    for name in ("behavior_minutes", "extraction_minutes", "dataset_minutes"):
        assert minutes(config, "mine", name) <= 20, name


def test_a_folder_has_as_many_images_as_files_and_a_missing_one_is_unknown(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"{n}.png").touch()
    asked = {"prompt": "What is it?", "task": "what"}
    section = {"layout": "folder", "source": "local", "path": str(tmp_path), **asked}
    config = filled({"mine": section})
    assert counts.count("mine", counts.expected(config, "mine"), NOWHERE).images == 5
    config["datasets"]["mine"]["path"] = str(tmp_path / "nowhere")
    wanted = counts.expected(config, "mine")  # another check refuses a missing folder
    assert counts.count("mine", wanted, NOWHERE).items == counts.UNKNOWN


def prepare(folder: Path, items: int, images: int) -> None:
    (folder / "datasets/d").mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "group": f"g{n // 2}",
            "group_split": "test" if n % 4 == 0 else "train",
            "task": "ab"[n % 2],
            "choices": [] if n == 0 else ["x", "y", "z"],
        }
        for n in range(items)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "datasets/d/items.parquet")
    pq.write_table(pa.table({"image_id": range(images)}), folder / "datasets/d/images.parquet")


def test_prepared_tables_are_counted_instead(tmp_path: Path) -> None:
    config = filled({"d": {"layout": "mmvp", "source": "download"}})
    prepare(tmp_path, 200, 120)
    size = counts.count("d", counts.expected(config, "d"), str(tmp_path))
    assert (size.images, size.items, size.tested, size.groups) == (120, 200, 50, 100)
    assert (size.choices, size.open, dict(size.tasks)) == (3, 1, {"a": 100, "b": 100})
    prepare(tmp_path, 400, 120)  # changed
    assert counts.count("d", counts.expected(config, "d"), str(tmp_path)).items == 400
    (tmp_path / "datasets/d/items.parquet").write_text("damaged")
    assert counts.count("d", counts.expected(config, "d"), str(tmp_path)).items == 300


def test_tables_of_a_much_smaller_configuration_are_ignored(tmp_path: Path) -> None:
    config = filled({"d": {"layout": "clevr", "source": "download"}})
    prepare(tmp_path, 100, 10)
    assert counts.count("d", counts.expected(config, "d"), str(tmp_path)).items == 150_000


def test_answer_time_depends_on_parts_orders_choices_conditions_and_texts() -> None:
    def asked(behavior: dict[str, Any], **mine: Any) -> int:
        datasets = {"coco": {"layout": "coco", "source": "download", **mine}}
        return minutes(filled(datasets, behavior={"greedy": "none", **behavior}), "coco")

    least = asked({"conditions": ["sighted"]})
    assert asked({"conditions": ["sighted", "blank"]}) == pytest.approx(2 * least, rel=0.05)
    assert asked({"conditions": ["sighted"], "orders": "all"}) == pytest.approx(4 * least, rel=0.05)
    assert asked({"conditions": ["sighted"], "greedy": "open"}) > 1.1 * least
    assert asked({"conditions": ["sighted"], "most": 500}) == pytest.approx(least / 10, abs=15)
    assert asked({"conditions": ["sighted"]}, parts=10) == pytest.approx(least / 10, abs=15)
    assert asked({"conditions": ["sighted"]}, test_share=0.5) == pytest.approx(least / 2, abs=15)


def test_attention_time_depends_on_the_traced_items() -> None:
    def traced(items: int, parts: int = 1) -> int:
        cv_bench = {"layout": "cv_bench", "source": "download", "parts": parts}
        return minutes(
            filled({"cv_bench": cv_bench}, attention={"items": items}),
            "cv_bench",
            "attention_minutes",
        )

    assert traced(24) < traced(240) < traced(600) == traced(6000) < 60
    assert traced(600, parts=6) < traced(600)
