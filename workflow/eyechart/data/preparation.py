"""Shared code of the layouts' ``prepare`` steps: flags, receipt, images, tables."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart.core.errors import UserError, nearest
from eyechart.core.randomness import seed_for
from eyechart.core.step import Json
from eyechart.data.open_image import check_images
from eyechart.tables import items as schemas
from eyechart.tables.parquet import write_table
from eyechart.tables.receipt import Receipt, read_receipt

ANSWERING = 5000  # images per split, drawn with the seed, with known answers to all questions
Row = dict[str, Any]
Divide = Callable[[str], str]  # maps a group to train or test


@dataclass(frozen=True)
class Preparation:
    """The flags of every ``prepare`` step."""

    dataset: str
    receipt: Path
    settings: Json
    seed: int
    items: Path
    images: Path


@dataclass(frozen=True)
class WithRegions(Preparation):
    """The flags of a step that also writes the table of regions."""

    regions: Path


def open_receipt(args: Preparation, layout: str) -> tuple[Receipt, Path]:
    """Return the receipt and the dataset's folder.

    Raise a UserError if the receipt has another layout, or lacks a split named in the settings.
    """
    receipt = read_receipt(args.receipt)
    for split in args.settings["splits"]:
        if split not in receipt["splits"]:
            known = nearest(split, receipt["splits"])
            raise UserError(f"{args.receipt}: split {split!r} was not acquired; {known}")
    if receipt["layout"] != layout:
        raise UserError(f"{args.receipt}: layout is {receipt['layout']!r}, expected {layout!r}")
    return receipt, args.receipt.parent


def group_split(group: str, dataset: str, seed: int, test_share: float) -> str:
    """Return ``train`` or ``test`` for a group, based on its name alone.

    Other groups, splits and the row order have no effect, so adding data never moves a group. The
    share of test groups is ``test_share`` up to binomial noise.
    """
    draw = seed_for("group_split", dataset, seed, group) / 2**63  # uniform in [0, 1)
    return "test" if draw < test_share else "train"


def stratified_split(
    strata: dict[str, tuple[str, ...]], dataset: str, seed: int, test_share: float
) -> Divide:
    """Return the function that maps a group to ``train`` or ``test``, balanced in every stratum.

    Groups are sorted by stratum, in seeded order within a stratum, and test groups are taken at
    regular intervals. So each stratum, and the complete set, has its share of test groups, to
    within one group.

    ``strata``: the stratum of every group, such as its rarest label.
    """
    order = sorted(strata, key=lambda g: (strata[g], seed_for("group_split", dataset, seed, g)))
    start = seed_for("group_split", dataset, seed) / 2**63  # uniform in [0, 1)
    ends = [int(n * test_share + start) for n in range(len(order) + 1)]
    tested = [after > before for before, after in pairwise(ends)]
    parts = dict(zip(order, ("test" if test else "train" for test in tested), strict=True))
    return parts.__getitem__


def divider(args: Preparation) -> Divide:
    """Return the function that maps a group to ``train`` or ``test``."""
    share = args.settings["test_share"]
    return partial(group_split, dataset=args.dataset, seed=args.seed, test_share=share)


def image_row(image_id: str, split: str, group: str, divide: Divide, path: Path, kind: str) -> Row:
    """Return the row of an image, without its hash and size; ``kind`` is its input type."""
    row = {"image_id": image_id, "split": split, "group_split": divide(group), "group": group}
    return row | {"path": path.as_posix(), "type": kind}


def about(image: Row) -> Row:
    """Return the fields that an item about one image takes from the image's row."""
    shared = {key: image[key] for key in ("split", "group_split", "group")}
    return shared | {"images": [image["image_id"]], "pair": None}


def add_image_facts(root: Path, rows: list[Row], receipt: Receipt) -> None:
    """Check every row's image on disk; add ``sha256``, ``width`` and ``height`` to the row."""
    expected = {entry["path"]: entry["sha256"] for entry in receipt["files"]}
    names = [Path(row["path"]).relative_to(root).as_posix() for row in rows]
    found = check_images(root, names, expected)
    for row, name in zip(rows, names, strict=True):
        row.update(vars(found[name]))


def as_items(rows: list[Row]) -> pa.Table:
    """Return rows as a part of the items table, which needs much less memory."""
    return pa.Table.from_pylist(rows, schemas.ITEMS)


def write_tables(
    args: Preparation, items: list[pa.Table], images: list[Row], tasks: list[str]
) -> None:
    """Write both tables, sorted by id; items are given in parts, ``tasks`` are image tasks.

    Raise a UserError if an id occurs twice in a table.
    """
    table = pa.concat_tables([schemas.ITEMS.empty_table(), *items]).sort_by("item_id")
    images = sorted(images, key=lambda row: row["image_id"])
    for key, ids in (
        ("item_id", table["item_id"].to_pylist()),
        ("image_id", [row["image_id"] for row in images]),
    ):
        for one, other in pairwise(ids):
            if one == other:
                raise UserError(f"{args.receipt}: {key} {one!r} occurs twice, expected unique ids")
    write_table(args.items, table.combine_chunks())
    answers = {name for row in images for name in row if name.startswith(schemas.ANSWER)}
    schema = schemas.images_schema(tasks, sorted(answers))
    write_table(args.images, pa.Table.from_pylist(images, schema))
