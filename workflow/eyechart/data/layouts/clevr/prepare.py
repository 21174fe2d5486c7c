"""Make the tables of questions and images from a dataset in CLEVR v1.0's official layout.

Reads: the receipt ``acquired.json`` and, beside it, ``images/``, ``scenes/`` and ``questions/``.
Writes: ``items.parquet`` (one row per question) and ``images.parquet`` (one row per image).

    python -m eyechart.data.layouts.clevr.prepare --dataset clevr \
        --receipt data/raw/clevr/acquired.json \
        --settings '{"splits": ["train", "val"], "test_share": 0.25}' --seed 7 \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet
"""

import json
from collections import Counter
from pathlib import Path

from eyechart.core.errors import UserError, nearest
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.base import require
from eyechart.data.layouts.clevr import layout, tasks
from eyechart.data.preparation import Divide, Row
from eyechart.tables import items as schemas

_OBJECT = (*tasks.ATTRIBUTES, "3d_coords")
_QUESTION = ("question", "answer", "image_filename", "question_family_index", "program")


def image_rows(root: Path, split: str, divide: Divide) -> list[Row]:
    """Return one row per scene of a split, without the image's hash and size.

    The group is the image itself. Raise a UserError if a scene lacks a field, has an attribute
    unknown to CLEVR, or occurs twice.
    """
    file = root / layout.scenes(split)
    rows: dict[str, Row] = {}
    for index, scene in enumerate(layout.read_scenes(root, split)):
        _check_scene(scene, f"{file}: scene {index}")
        name = f"{split}_{scene['image_index']:06d}"
        if name in rows:
            raise UserError(f"{file}: scene {index}: image_index is that of an earlier scene")
        path = root / layout.image_path(split, scene["image_filename"])
        row = preparation.image_row(name, split, name, divide, path, tasks.image_type(scene))
        labels = tasks.image_labels(scene).items()
        rows[name] = row | {schemas.LABEL + task: label for task, label in labels}
    return list(rows.values())


def item_rows(root: Path, split: str, images: list[Row]) -> list[Row]:
    """Return one row per question of a split.

    ``item_id`` numbers an image's questions in file order. The answer determines the task. The
    input type of Hewitt & Liang's control task is the question's text. Raise a UserError if a
    question lacks a field, refers to an unknown image, or has an unknown answer.
    """
    file = root / layout.questions(split)
    by_filename = {Path(row["path"]).name: row for row in images}
    counts: Counter[str] = Counter()
    rows = []
    for index, question in enumerate(layout.read_questions(root, split)):
        where = f"{file}: question {index}"
        require(question, _QUESTION, where)
        image = by_filename.get(question["image_filename"])
        if image is None:
            raise UserError(
                f"{where}: image_filename is {question['image_filename']!r}, which no scene of "
                f"split {split!r} has"
            )
        name = image["image_id"]
        rows.append(_item(question, f"{name}_q{counts[name]:02d}", image, where))
        counts[name] += 1
    return rows


def _item(question: Row, name: str, image: Row, where: str) -> Row:
    answer = tasks.answer_text(question["answer"])
    if answer not in tasks.TASK_OF_ANSWER:
        raise UserError(f"{where}: answer is {answer!r}; {nearest(answer, tasks.TASK_OF_ANSWER)}")
    program = question["program"]
    if not program or not all(isinstance(function, str) for function in program):
        raise UserError(f"{where}: program is {program!r}, expected nodes with a 'function'")
    task = tasks.TASK_OF_ANSWER[answer]
    meta = {
        "question_family_index": question["question_family_index"],
        "program_length": len(program),
        "last_function": program[-1],
    }
    return preparation.about(image) | {
        "item_id": name,
        "prompt": question["question"],
        "choices": tasks.ITEM_TASKS[task],
        "answer": answer,
        "task": task,
        "type": question["question"],
        "meta": json.dumps(meta),
    }


def _check_scene(scene: Row, where: str) -> None:
    require(scene, ("directions",), where)
    require(scene["directions"], ("front",), f"{where}: directions")
    for number, thing in enumerate(scene["objects"]):
        require(thing, _OBJECT, f"{where}: object {number}")
        for attribute, values in tasks.ATTRIBUTES.items():
            if thing[attribute] not in values:
                raise UserError(
                    f"{where}: object {number}: {attribute} is {thing[attribute]!r}; "
                    f"{nearest(thing[attribute], values)}"
                )


@command
def main(args: preparation.Preparation) -> None:
    """Write both tables."""
    receipt, root = preparation.open_receipt(args, layout.NAME)
    divide = preparation.divider(args)
    images: list[Row] = []
    items: list[Row] = []
    for split in args.settings["splits"]:
        of_split = image_rows(root, split, divide)
        items += item_rows(root, split, of_split)
        images += of_split
    preparation.add_image_facts(root, images, receipt)
    preparation.write_tables(args, [preparation.as_items(items)], images, tasks.IMAGE_TASKS)


if __name__ == "__main__":
    main()
