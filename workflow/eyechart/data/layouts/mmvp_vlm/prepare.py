"""Make the tables of statements and images from MMVP-VLM in its official layout.

Each statement asks which image of its pair it is true of; the image with the odd id is first.

Reads: the receipt ``acquired.json`` and, beside it, ``Questions.csv`` and the images.
Writes: ``items.parquet`` (one row per statement) and ``images.parquet`` (one row per image).

    python -m eyechart.data.layouts.mmvp_vlm.prepare --dataset mmvp_vlm \
        --receipt data/raw/mmvp_vlm/acquired.json \
        --settings '{"splits": ["test"], "test_share": 1}' --seed 7 \
        --items results/datasets/mmvp_vlm/items.parquet \
        --images results/datasets/mmvp_vlm/images.parquet
"""

import json
from collections.abc import Callable
from pathlib import Path

from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.mmvp.layout import image_name, pair_name, partner_of
from eyechart.data.layouts.mmvp_vlm import layout
from eyechart.data.layouts.mmvp_vlm.layout import Statement
from eyechart.data.preparation import Row

CHOICES = ["first", "second"]


def item_rows(statements: list[Statement], split: str, divide: Callable[[str], str]) -> list[Row]:
    """Return one row per statement; the pair is the group, the pattern is the task."""
    rows = []
    for statement in statements:
        number, pair = statement.number, pair_name(statement.number)
        meta = {"form": "which_picture", "question_id": number, "type": statement.kind}
        rows.append(
            {
                "item_id": f"statement_{number:03d}",
                "split": split,
                "group_split": divide(pair),
                "group": pair,
                "images": [image_name(n) for n in sorted((number, partner_of(number)))],
                "prompt": statement.text,
                "choices": CHOICES,
                "answer": CHOICES[0] if number % 2 else CHOICES[1],
                "task": statement.pattern,
                "type": statement.text,
                "pair": pair,
                "meta": json.dumps(meta, ensure_ascii=False),
            }
        )
    return rows


def image_rows(
    root: Path, statements: list[Statement], split: str, divide: Callable[[str], str]
) -> list[Row]:
    """Return one row per image, without its hash and size; its type is its pattern."""
    return [
        {
            "image_id": image_name(statement.number),
            "split": split,
            "group_split": divide(pair_name(statement.number)),
            "group": pair_name(statement.number),
            "path": (root / layout.image_path(root, statement)).as_posix(),
            "type": statement.pattern,
        }
        for statement in statements
    ]


@command
def main(args: preparation.Preparation) -> None:
    """Write both tables."""
    receipt, root = preparation.open_receipt(args, layout.NAME)
    (split,), divide = args.settings["splits"], preparation.divider(args)
    statements = layout.read_statements(root)
    images = image_rows(root, statements, split, divide)
    preparation.add_image_facts(root, images, receipt)
    items = preparation.as_items(item_rows(statements, split, divide))
    preparation.write_tables(args, [items], images, [])


if __name__ == "__main__":
    main()
