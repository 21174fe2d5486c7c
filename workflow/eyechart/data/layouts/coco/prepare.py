"""Create the tables of questions and images from a dataset in COCO's official layout.

Reads: the receipt ``acquired.json`` and, next to it, ``<split>/`` and ``annotations/``.
Writes: ``items.parquet`` (presence, position, counting, caption), ``images.parquet`` and
``regions.parquet`` (the boxes of the category an item asks about, and of another category).

    python -m eyechart.data.layouts.coco.prepare --dataset coco \
        --receipt data/raw/coco/acquired.json --seed 7 \
        --settings '{"splits": ["val2017"], "test_share": 1, "subset": 2690,
                     "allow_missing": false, "presence": 3, "position": 2, "position_margin": 0.1,
                     "counting": 2, "most_count": 10, "most_objects": 10, "wording": {
                     "presence": "Is there {a_category} in the image?",
                     "position": "Is {a_category} on the {side} of the image?",
                     "counting": "How many {plural} are there in the image?",
                     "caption": "Describe the image in one sentence."}}' \
        --items results/datasets/coco/items.parquet --images results/datasets/coco/images.parquet \
        --regions results/datasets/coco/regions.parquet
"""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from eyechart.core.errors import UserError
from eyechart.core.randomness import dice, seed_for
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.coco import layout, tasks
from eyechart.data.layouts.coco.annotations import Annotations, read_split
from eyechart.data.layouts.coco.questions import Questions
from eyechart.data.preparation import Divide, Row
from eyechart.tables import items as schemas
from eyechart.tables.regions import OTHER, REF, Region, about_image, box, write_regions

_PART = 1000  # images whose items are held in memory at a time


def choose(images: list[int], subset: int | None, split: str, *seeds: str | int) -> list[int]:
    """Return a split's images, or a seeded sample of ``subset``; splits are sampled independently.

    Raise a UserError if there are fewer than ``subset``.
    """
    if subset is None:
        return images
    if subset > len(images):
        raise UserError(f"subset is {subset}, but {split} has {len(images)} images")
    return sorted(sorted(images, key=lambda i: seed_for("subset", *seeds, split, i))[:subset])


def image_row(
    root: Path, split: str, found: Annotations, image: int, divide: Divide, most: int
) -> Row:
    """Return the row of an image without its hash and size; the group is the image itself."""
    name = f"{split}_{image:012d}"
    objects, categories = found.objects[image], found.categories
    labels = tasks.image_labels(objects, categories, most).items()
    path = root / found.images[image]["path"]
    kind = tasks.image_type(objects, categories)
    row = preparation.image_row(name, split, name, divide, path, kind)
    return row | {schemas.LABEL + task: label for task, label in labels}


def item_rows(questions: Questions, image: int, row: Row) -> list[Row]:
    """Return the items of an image, given its row."""
    shared, items = preparation.about(row), questions.about(image)
    return [item | shared | {"item_id": f"{row['image_id']}_{item['item_id']}"} for item in items]


def region_rows(found: Annotations, image: int, items: list[Row], *seeds: str | int) -> list[Row]:
    """Return the regions of an image's items: boxes of the category asked about, and another box.

    Boxes are clipped to the image; some official boxes have no area and are omitted.
    """
    size = (found.images[image]["width"], found.images[image]["height"])
    boxes = [(found.categories[t["category"]], _box(t["bbox"], size)) for t in found.objects[image]]
    boxes = [(category, region) for category, region in boxes if region.within(*size)]
    rows = []
    for item in items:
        category = json.loads(item["meta"]).get("category")
        asked = [region for name, region in boxes if name == category]
        others = [region for name, region in boxes if name != category] if asked else []
        drawn = dice("other object", *seeds, item["item_id"]).sample(others, min(1, len(others)))
        drawn = drawn or (asked[0].elsewhere(*size) if len(asked) == 1 else [])
        names = [REF, *(f"{REF}{n}" for n in range(2, len(asked) + 1)), OTHER]
        chosen = [r._replace(name=n) for n, r in zip(names, [*asked, *drawn], strict=False)]
        rows += about_image(item["item_id"], item["images"][0], chosen if asked else [])
    return rows


def _box(edges: list[float], size: tuple[int, int]) -> Region:
    left, top, wide, high = edges
    right, bottom = min(size[0], left + wide), min(size[1], top + high)
    return box(REF, max(0, left), max(0, top), right, bottom)


def check_sizes(rows: list[Row], annotated: list[Row]) -> None:
    """Raise a UserError for an image whose size differs from its annotations."""
    for row, image in zip(rows, annotated, strict=True):
        if (row["width"], row["height"]) != (image["width"], image["height"]):
            raise UserError(
                f"{row['path']}: is {row['width']} x {row['height']} px, but its annotations are "
                f"for {image['width']} x {image['height']} px, so boxes would not fit; restore it, "
                "or annotate it as displayed, rotated according to its EXIF data"
            )


def prepare_split(
    args: preparation.Preparation,
    split: str,
    annotations: Annotations,
    add: Callable[[list[Row]], None],
) -> tuple[list[pa.Table], list[Row], list[Row]]:
    """Return the items (in parts), images and regions of one split.

    ``add`` adds hash and size to images.
    """
    settings, seeds = args.settings, (args.dataset, args.seed)
    ids = choose(list(annotations.images), settings["subset"], split, *seeds)
    root, divide = args.receipt.parent, preparation.divider(args)
    most = settings["most_objects"]
    images = [image_row(root, split, annotations, i, divide, most) for i in ids]
    add(images)
    check_sizes(images, [annotations.images[i] for i in ids])
    questions = Questions((*seeds, split), annotations, settings)
    rows_of = dict(zip(ids, images, strict=True))
    for i in choose(ids, min(len(ids), preparation.ANSWERING), split, "answers", *seeds):
        known = questions.answers(i).items()
        rows_of[i].update({schemas.ANSWER + prompt: answer for prompt, answer in known})
    items, regions = [], []
    for start in range(0, len(ids), _PART):
        rows: list[Row] = []
        for i, image in zip(ids[start : start + _PART], images[start : start + _PART], strict=True):
            own = item_rows(questions, i, image)
            regions += region_rows(annotations, i, own, *seeds)
            rows += own
        items.append(preparation.as_items(rows))
    return items, images, regions


@command
def main(args: preparation.WithRegions) -> None:
    """Write the tables."""
    receipt, root = preparation.open_receipt(args, layout.NAME)
    tasks.check_wording(args.settings["wording"], f"datasets.{args.dataset}.wording")
    acquired = {entry["path"] for entry in receipt["files"]}
    items: list[pa.Table] = []
    images: list[Row] = []
    regions: list[Row] = []
    labels: dict[str, None] = {}  # in order; null in splits that lack the label
    for split in args.settings["splits"]:
        found = read_split(root, split, acquired, args.settings["allow_missing"])
        labels |= dict.fromkeys(tasks.image_tasks(found.categories))
        of_split = prepare_split(
            args, split, found, lambda rows: preparation.add_image_facts(root, rows, receipt)
        )
        items += of_split[0]
        images += of_split[1]
        regions += of_split[2]
    preparation.write_tables(args, items, images, list(labels))
    write_regions(args.regions, regions)


if __name__ == "__main__":
    main()
