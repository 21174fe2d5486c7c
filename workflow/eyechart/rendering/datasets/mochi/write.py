"""Convert rendered trials to MOCHI's official layout: ``data/<split>-00000-of-00001.parquet``.

Reads the shards' manifests and images; writes the table and, last, the receipt. The columns for
human and model results are empty, since none exist for these trials.

    python -m eyechart.rendering.datasets.mochi.write --dataset mochi --settings JSON --seed 7
        --shards data/raw/mochi/shards/train-000.json --root data/raw/mochi
        --output data/raw/mochi/acquired.json
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart.core.step import command
from eyechart.rendering.step_helpers import (
    IMAGE,
    Writing,
    embedded,
    finish,
    only_split,
    read_shards,
)
from eyechart.tables.parquet import write_table

MEASURED = ("human_avg", "human_sem", "human_std", "RT_avg", "RT_sem", "RT_std", "DINOv2G_avg",
            "DINOv2G_std", "DINOv2G_sem")  # fmt: skip
SCHEMA = pa.schema(
    [
        ("dataset", pa.string()),
        ("condition", pa.string()),
        ("trial", pa.string()),
        ("n_objects", pa.int64()),
        ("oddity_index", pa.int64()),
        ("images", pa.list_(IMAGE)),
        ("n_subjects", pa.int64()),
        *((name, pa.float64()) for name in MEASURED),
    ]
)


def row(record: dict[str, Any], root: Path) -> dict[str, Any]:
    """Return one trial's row in the official table."""
    shown = [embedded(root, path) for path in record["images"]]
    return {
        "dataset": "studio",
        "condition": record["condition"],
        "trial": f"studio{record['item']}",
        "n_objects": len(shown),
        "oddity_index": record["oddity_index"],
        "images": shown,
        "n_subjects": 0,
        **dict.fromkeys(MEASURED),
    }


@command
def main(args: Writing) -> None:
    """Write the table, then the receipt."""
    split = only_split(args)
    files, records = read_shards(args.shards, args.root, "items", order="item")
    path = args.root / f"data/{split}-00000-of-00001.parquet"
    rows = [row(record, args.root) for record in records]
    write_table(path, pa.Table.from_pylist(rows, schema=SCHEMA))
    images = sum(len(record["images"]) for record in records)
    finish(args, "mochi", {split: (images, len(rows))}, [*files, path])


if __name__ == "__main__":
    main()
