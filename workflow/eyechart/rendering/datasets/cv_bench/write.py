"""Convert rendered depth questions to CV-Bench's official layout: ``<split>_3d.parquet``.

Reads the shards' manifests and images; writes the table and, last, the receipt.

    python -m eyechart.rendering.datasets.cv_bench.write --dataset cv_bench --settings JSON --seed 7
        --shards data/raw/cv_bench/shards/test-000.json --root data/raw/cv_bench
        --output data/raw/cv_bench/acquired.json
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart.core.step import command
from eyechart.rendering.step_helpers import (
    IMAGE,
    Writing,
    file_bytes,
    finish,
    only_split,
    read_shards,
)
from eyechart.tables.parquet import schema, write_table

SCHEMA = schema(
    "idx: int64",
    "type task: string",
    pa.field("image", IMAGE),
    "question: string",
    "choices: list of string",
    "answer prompt filename source source_dataset source_filename target_class: string",
    "target_size: list of int64",
    "bbox: list of list of float64",
)
QUESTION = (
    "Which object is closer to the camera taking this photo, the {0} (highlighted by a red box) or "
    "the {1} (highlighted by a blue box)?"
)


def row(record: dict[str, Any], root: Path) -> dict[str, Any]:
    """Return one item's row in the official table."""
    one, other = record["choices"]
    question = QUESTION.format(one, other)
    name = f"img/3D/depth/studio_{record['item']}.png"
    return {
        "idx": record["item"],
        "type": "3D",
        "task": "Depth",
        "image": {"bytes": file_bytes(root, record["images"][0]), "path": Path(name).name},
        "question": question,
        "choices": [one, other],
        "answer": f"({record['answer']})",
        "prompt": f"{question} Select from the following choices.\n(A) {one}\n(B) {other}",
        "filename": name,
        "source": "studio",
        "source_dataset": "studio",
        "source_filename": f"studio_{record['item']}.png",
        "target_class": None,
        "target_size": None,
        "bbox": [[float(x) for x in box] for box in record["boxes"]],
    }


@command
def main(args: Writing) -> None:
    """Write the table, then the receipt."""
    split = only_split(args)
    files, records = read_shards(args.shards, args.root, "items", order="item")
    path = args.root / f"{split}_3d.parquet"
    rows = [row(record, args.root) for record in records]
    write_table(path, pa.Table.from_pylist(rows, schema=SCHEMA))
    finish(args, "cv_bench", {split: (len(rows), len(rows))}, [*files, path])


if __name__ == "__main__":
    main()
