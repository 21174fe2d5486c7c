"""Make the tables of questions and pictures from one's own data.

Reads: the receipt ``acquired.json`` and, beside it, ``table.jsonl`` and ``images/``, as
:mod:`eyechart.datasets.take_own` left them.
Writes: ``items.parquet`` (one row per item) and ``images.parquet`` (one row per picture, with a
column ``label/<name>`` per label).

An item whose answer is not known has none: it can be asked, but neither scored nor probed.

    python -m eyechart.datasets.prepare_own --dataset mine \
        --receipt data/raw/mine/acquired.json \
        --settings '{"layout": "table", "splits": ["all"], "test_share": 0.25, "task": "mine"}' \
        --seed 7 \
        --items results/datasets/mine/items.parquet \
        --images results/datasets/mine/images.parquet
"""

import logging

from eyechart import errors
from eyechart.datasets import own_entries as own
from eyechart.datasets import preparing
from eyechart.datasets.own_items import image_rows, item_rows

log = logging.getLogger(__name__)


def main(argv: list[str]) -> None:
    """Write both tables."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args = preparing.parse_args(argv, __doc__)
    receipt, root = preparing.open_receipt(args, args.settings["layout"])
    taken = own.read_entries(root)
    entries = [entry for entry in taken if entry["split"] in args.settings["splits"]]
    prefix = f"{own.IMAGES}/"
    hashes = {entry["path"].removeprefix(prefix): entry["sha256"] for entry in receipt["files"]}
    items = item_rows(entries, args.settings, hashes, preparing.divider(args))
    images = image_rows(root, entries, items)
    preparing.add_pictures(root, images, receipt)
    labels = list(entries[0]["labels"]) if entries else []
    preparing.write_tables(args, [preparing.as_items(items)], images, labels)
    unknown = sum(item["answer"] is None for item in items)
    log.info("%d items, of which %d have no answer and are not scored", len(items), unknown)


if __name__ == "__main__":
    errors.run(main)
