"""Create the tables of questions and images from a dataset in CLEVR v1.0's official layout.

Reads: the receipt ``acquired.json`` and, next to it, ``images/``, ``scenes/`` and ``questions/``.
Writes: ``items.parquet`` (one row per question), ``images.parquet`` (one row per image) and
``regions.parquet`` (the object whose attribute a question asks for, and another object).

    python -m eyechart.data.layouts.clevr.prepare --dataset clevr \
        --receipt data/raw/clevr/acquired.json \
        --settings '{"splits": ["train", "val"], "test_share": 0.25}' --seed 7 \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --regions results/datasets/clevr/regions.parquet
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from eyechart.core.errors import UserError, nearest
from eyechart.core.randomness import dice, seed_for
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.base import require
from eyechart.data.layouts.clevr import layout, tasks
from eyechart.data.layouts.clevr.programs import Program, answer, count_values, meaning, referent
from eyechart.data.preparation import Divide, Row
from eyechart.tables import items as schemas
from eyechart.tables.regions import OTHER, REF, Region, about_image, box, point, write_regions

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
            raise UserError(
                f"{file}: scene {index}: image_index is already used by an earlier scene"
            )
        path = root / layout.image_path(split, scene["image_filename"])
        row = preparation.image_row(name, split, name, divide, path, tasks.image_type(scene))
        labels = tasks.image_labels(scene).items()
        rows[name] = row | {schemas.LABEL + task: label for task, label in labels}
    return list(rows.values())


def item_rows(root: Path, split: str, images: list[Row]) -> tuple[list[Row], dict[str, Program]]:
    """Return one row per question of a split, and the programs by item.

    ``item_id`` numbers an image's questions in file order. The answer determines the task, except
    for captions, which have no choices. The input type of Hewitt & Liang's control task is the
    question's text. Raise a UserError if a question lacks a field, refers to an unknown image, or
    has an unknown answer.
    """
    file = root / layout.questions(split)
    by_filename = {Path(row["path"]).name: row for row in images}
    counts: Counter[str] = Counter()
    rows = []
    programs = {}
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
        programs[rows[-1]["item_id"]] = question["program"]
        counts[name] += 1
    return rows, programs


def _item(question: Row, name: str, image: Row, where: str) -> Row:
    program = question["program"]
    if not program or not all(isinstance(n.get("function"), str) for n in program):
        raise UserError(f"{where}: program is {program!r}, expected nodes with a 'function'")
    open_ended = program[-1]["function"] == tasks.DESCRIBE
    own = _caption(question, where) if open_ended else _choice(question, where)
    shared = {"item_id": name, "prompt": question["question"], "type": question["question"]}
    return preparation.about(image) | shared | {**own, "meta": json.dumps(own["meta"])}


def _caption(question: Row, where: str) -> Row:
    """Return the fields of an open question with several references."""
    require(question, ("references",), where)
    meta = {"references": [str(text) for text in question["references"]]}
    return {"choices": [], "answer": str(question["answer"]), "task": tasks.CAPTION, "meta": meta}


def _choice(question: Row, where: str) -> Row:
    """Return the fields of a standard CLEVR question; its answer determines task and choices."""
    answer = tasks.answer_text(question["answer"])
    if answer not in tasks.TASK_OF_ANSWER:
        raise UserError(f"{where}: answer is {answer!r}; {nearest(answer, tasks.TASK_OF_ANSWER)}")
    task, program = tasks.TASK_OF_ANSWER[answer], question["program"]
    meta = {
        "question_family_index": question["question_family_index"],
        "program_length": len(program),
        "last_function": program[-1]["function"],
    }
    if task not in tasks.ATTRIBUTES:
        meta["asks"] = meaning(program)
    return {"choices": tasks.ITEM_TASKS[task], "answer": answer, "task": task, "meta": meta}


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


def region_rows(
    scenes: dict[str, Row], items: list[Row], programs: dict[str, Program], *seeds: str | int
) -> list[Row]:
    """Return the regions of a split's items that ask for an attribute of one object.

    Parameters
    ----------
    scenes : the scene of every image, with the ``size`` of its image in pixels
    items, programs : as :func:`item_rows` returns them
    seeds : seeds that choose the other object of the scene; if there is none, a far corner is used
    """
    rows = []
    for item in items:
        (image,), name = item["images"], item["item_id"]
        scene = scenes[image]
        asked = referent(programs[name], scene)
        if asked is None:
            continue
        others = [n for n in range(len(scene["objects"])) if n != asked]
        drawn = dice("other object", *seeds, name).sample(others, min(1, len(others)))
        own = place(scene, asked, REF)
        other = [place(scene, n, OTHER) for n in drawn] or own.elsewhere(*scene["size"])
        rows += about_image(name, image, [own, *other])
    return rows


def _scenes(root: Path, split: str, images: list[Row]) -> dict[str, Row]:
    scenes = zip(layout.read_scenes(root, split), images, strict=True)
    return {i["image_id"]: scene | {"size": (i["width"], i["height"])} for scene, i in scenes}


def place(scene: Row, number: int, name: str) -> Region:
    """Return the region of an object in its image: a box, or its point if there is no depth.

    Rendered scenes have boxes. In official scenes, the box is that of a sphere of the object's size
    at its centre and depth, as seen by CLEVR's camera.
    """
    thing, (width, height) = scene["objects"][number], scene["size"]
    if "bbox" in thing:
        left, top, wide, high = thing["bbox"]
        return box(name, left, top, left + wide, top + high)
    x, y, *depth = thing["pixel_coords"]
    if not depth or depth[0] <= 0:
        return point(name, x + 0.5, y + 0.5)
    half = tasks.RADII[thing["size"]] * tasks.FOCAL * width / depth[0]
    return box(
        name, max(0, x - half), max(0, y - half), min(width, x + half), min(height, y + half)
    )


def add_answers(images: list[Row], scenes: dict[str, Row], questions: Iterable[str]) -> None:
    """Add to images their answers to questions that only count objects.

    Parameters
    ----------
    images : rows of all images
    scenes : scenes of the images that get answers, by image
    questions : the meanings of all questions, of any split
    """
    by_image = {row["image_id"]: row for row in images}
    names = {question: schemas.ANSWER + question for question in questions}
    for name, scene in scenes.items():
        counts = count_values(scene, tasks.ATTRIBUTES)
        row = {column: tasks.answer_text(answer(q, counts)) for q, column in names.items()}
        by_image[name].update(row)


@command
def main(args: preparation.WithRegions) -> None:
    """Write the tables."""
    receipt, root = preparation.open_receipt(args, layout.NAME)
    divide = preparation.divider(args)
    images: list[Row] = []
    items: list[pa.Table] = []
    regions: list[Row] = []
    questions: set[str] = set()
    answering: dict[str, Row] = {}
    for split in args.settings["splits"]:
        of_split = image_rows(root, split, divide)
        preparation.add_image_facts(root, of_split, receipt)
        asked, programs = item_rows(root, split, of_split)
        scenes = _scenes(root, split, of_split)
        regions += region_rows(scenes, asked, programs, args.dataset, args.seed)
        questions |= {json.loads(item["meta"]).get("asks", "") for item in asked}
        drawn = sorted(scenes, key=lambda name: seed_for("answers", args.dataset, args.seed, name))
        answering |= {name: scenes[name] for name in drawn[: preparation.ANSWERING]}
        items.append(preparation.as_items(asked))
        images += of_split
    add_answers(images, answering, {q for q in questions if answer(q, Counter()) is not None})
    preparation.write_tables(args, items, images, tasks.IMAGE_TASKS)
    write_regions(args.regions, regions)


if __name__ == "__main__":
    main()
