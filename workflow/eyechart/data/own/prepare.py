"""Make the tables of questions and images from the user's own data.

Reads: the receipt ``acquired.json`` and, beside it, ``table.jsonl`` and ``images/``, as
:mod:`eyechart.data.own.take` left them.
Writes: ``items.parquet`` (one row per item) and ``images.parquet`` (one row per image, with a
column ``label/<name>`` per label).

Items with unknown answers can be asked, but are neither scored nor probed.

    python -m eyechart.data.own.prepare --dataset mine \
        --receipt data/raw/mine/acquired.json \
        --settings '{"layout": "table", "splits": ["all"], "test_share": 0.25, "task": "mine"}' \
        --seed 7 \
        --items results/datasets/mine/items.parquet \
        --images results/datasets/mine/images.parquet
"""

import logging

from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.own import entries as own
from eyechart.data.own.items import image_rows, item_rows

log = logging.getLogger(__name__)


@command
def main(args: preparation.Preparation) -> None:
    """Write both tables."""
    receipt, root = preparation.open_receipt(args, args.settings["layout"])
    taken = own.read_entries(root)
    entries = [entry for entry in taken if entry["split"] in args.settings["splits"]]
    prefix = f"{own.IMAGES}/"
    hashes = {entry["path"].removeprefix(prefix): entry["sha256"] for entry in receipt["files"]}
    items = item_rows(entries, args.settings, hashes, preparation.divider(args))
    images = image_rows(root, entries, items)
    preparation.add_image_facts(root, images, receipt)
    labels = list(entries[0]["labels"]) if entries else []
    preparation.write_tables(args, [preparation.as_items(items)], images, labels)
    unknown = sum(item["answer"] is None for item in items)
    log.info("%d items, %d of them without an answer and not scored", len(items), unknown)


if __name__ == "__main__":
    main()
