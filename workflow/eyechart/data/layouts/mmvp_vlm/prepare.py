"""Create the tables of statements and images from MMVP-VLM in its official layout.

Each item asks which image of its pair matches the statement; the image with the odd id is first.

Reads: the receipt ``acquired.json`` and, next to it, ``Questions.csv`` and the images.
Writes: ``items.parquet`` (one row per statement) and ``images.parquet`` (one row per image).

    python -m eyechart.data.layouts.mmvp_vlm.prepare --dataset mmvp_vlm \
        --receipt data/raw/mmvp_vlm/acquired.json \
        --settings '{"splits": ["test"], "test_share": 1}' --seed 7 \
        --items results/datasets/mmvp_vlm/items.parquet \
        --images results/datasets/mmvp_vlm/images.parquet
"""

import json

from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.mmvp_vlm import layout
from eyechart.data.layouts.mmvp_vlm.layout import Statement
from eyechart.data.layouts.pairs import image_name, image_rows, item_row, partner_of
from eyechart.data.preparation import Divide, Row

CHOICES = ["first", "second"]


def item_rows(statements: list[Statement], split: str, divide: Divide) -> list[Row]:
    """Return one row per statement."""
    rows = []
    for statement in statements:
        number = statement.number
        meta = {"form": "which_image", "question_id": number, "type": statement.kind}
        own = {
            "item_id": f"statement_{number:03d}",
            "images": [image_name(n) for n in sorted((number, partner_of(number)))],
            "choices": CHOICES,
            "answer": CHOICES[0] if number % 2 else CHOICES[1],
            "meta": json.dumps(meta, ensure_ascii=False),
        }
        rows.append(item_row(statement, split, divide) | own)
    return rows


@command
def main(args: preparation.Preparation) -> None:
    """Write both tables."""
    receipt, root = preparation.open_receipt(args, layout.NAME)
    (split,), divide = args.settings["splits"], preparation.divider(args)
    statements = layout.read_statements(root)
    paths = [root / layout.image_path(root, statement) for statement in statements]
    images = image_rows(statements, paths, split, divide)
    preparation.add_image_facts(root, images, receipt)
    items = preparation.as_items(item_rows(statements, split, divide))
    preparation.write_tables(args, [items], images, [])


if __name__ == "__main__":
    main()
