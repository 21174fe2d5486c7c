"""Create the tables of BLINK's vision-centric sub-tasks from its layout on the Hugging Face hub.

Reads: the receipt ``acquired.json`` and, next to it, ``<Sub_Task>/<split>-….parquet`` and, if it
exists, ``Points.csv``.
Writes: ``items.parquet``, ``images.parquet``, ``regions.parquet``, and the images next to them.

    python -m eyechart.data.layouts.blink.prepare --dataset blink \
        --receipt data/raw/blink/acquired.json --seed 7 \
        --settings '{"splits": ["val"], "test_share": 1, "most": null,
                     "skills": ["semantic_correspondence", "art_style"],
                     "wording": {"semantic_correspondence": "official", "art_style": "official"},
                     "canvas": true, "marks": true, "square": true, "canvas_px": 672,
                     "columns": null, "gap": 0.04, "margin": 0, "background": "white",
                     "label_share": 0.06}' \
        --items results/datasets/blink/items.parquet \
        --images results/datasets/blink/images.parquet \
        --regions results/datasets/blink/regions.parquet
"""

from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.canvas import items as canvas_items
from eyechart.data.canvas.items import Puzzle, PuzzleView
from eyechart.data.canvas.tables import PuzzleWriter, puzzle_writer
from eyechart.data.canvas.tasks import BLINK, STYLE
from eyechart.data.layouts.blink import layout
from eyechart.data.records import Record, image_bytes, plain_name, read_rows, text_list
from eyechart.tables.regions import REF, Region

_COLUMNS = ["idx", "sub_task", "question", "prompt", "choices", "answer", "image_1", "image_2"]


def sub_tasks(settings: dict[str, Any], where: str) -> list[str]:
    """Return the sub-tasks of the requested skills, in BLINK's order.

    Raise a UserError if BLINK does not have a skill, or if ``marks`` is false although the marks
    are part of the images.
    """
    known = {skill: name for name, skill in BLINK.items()}
    for skill in settings["skills"]:
        if skill not in known:
            raise UserError(f"{where}.skills: {skill!r}; {nearest(skill, known)}")
    if not settings["marks"] and set(settings["skills"]) != {STYLE}:
        raise UserError(
            f"{where}.marks is false, but BLINK's images have their marks drawn in; set it to true"
        )
    return [name for name, skill in BLINK.items() if skill in settings["skills"]]


def puzzle_of(
    record: Record,
    sub_task: str,
    split: str,
    points: dict[str, dict[str, Region]],
    wording: dict[str, str],
) -> Puzzle:
    """Return the puzzle of a row; raise a UserError for another sub-task or an invalid cell."""
    where, values = record
    if values["sub_task"] != sub_task:
        raise UserError(
            f"{where}: sub_task is {values['sub_task']!r}, expected {sub_task!r}, the name of its "
            "folder"
        )
    idx, task = plain_name(values["idx"], "idx", where), BLINK[sub_task]
    choices = text_list(values["choices"], "choices", where)
    marks = points.get(idx, {})
    views = [
        _view(values, idx, number, task, marks, where)
        for number in range(1, layout.images_per_item(sub_task) + 1)
    ]
    own = canvas_items.question_of(values["prompt"] or values["question"] or "")
    return Puzzle(
        where=where,
        item_id=idx,
        split=split,
        task=task,
        type=sub_task,
        prompt=canvas_items.apply_wording(wording[task], own),
        choices=choices,
        answer=canvas_items.letter_of(values["answer"], choices, where),
        views=views,
        ties=[idx],
        marked=task != STYLE,
        placed=task == STYLE or bool(marks),
        meta={"question": values["question"]},
    )


def _view(
    values: dict[str, Any], idx: str, number: int, task: str, marks: dict[str, Region], where: str
) -> PuzzleView:
    column = f"image_{number}"
    location = f"{where}: {column}"
    data = image_bytes(values.get(column), location)
    name = f"{idx}_{number}"
    if task == STYLE:
        return PuzzleView(name, data, location, whole=(REF, "A", "B")[number - 1])
    names = [REF] if number == 1 else [key for key in layout.NAMES if key != REF]
    return PuzzleView(name, data, location, [marks[key] for key in names if key in marks])


def prepare(settings: dict[str, Any], writer: PuzzleWriter) -> None:
    """Add every requested row of every requested sub-task to the tables."""
    wanted = sub_tasks(settings, f"datasets.{writer.args.dataset}")
    points = layout.read_points(writer.root)
    for split in settings["splits"]:
        for sub_task in wanted:
            path = writer.root / layout.shard(sub_task, split)
            ids = [str(record.values["idx"]) for record in read_rows(path, ["idx"])]
            chosen = set(writer.chosen(ids, split, sub_task))
            for record in read_rows(path, _COLUMNS, ("image_3",)):
                if str(record.values["idx"]) in chosen:
                    writer.add(puzzle_of(record, sub_task, split, points, settings["wording"]))


@command
def main(args: preparation.WithRegions) -> None:
    """Write images and tables."""
    with puzzle_writer(args, layout.NAME, args.settings["skills"], True) as writer:
        prepare(args.settings, writer)


if __name__ == "__main__":
    main()
