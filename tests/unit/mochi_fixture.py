"""A miniature of MOCHI on the hub: ``data/train-00000-of-00001.parquet``."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from skills_fixture import encode, photo

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
MEASURES = ("human_avg", "human_sem", "human_std", "RT_avg", "RT_sem", "RT_std", "DINOv2G_avg",
            "DINOv2G_std", "DINOv2G_sem")  # fmt: skip
SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "condition", "trial")],
        ("n_objects", pa.int64()),
        ("oddity_index", pa.int64()),
        ("images", pa.list_(IMAGE)),
        ("n_subjects", pa.int64()),
        *[(name, pa.float64()) for name in MEASURES],
    ]
)


def row(number: int, count: int, odd: int) -> dict[str, Any]:
    images = [encode(photo(40, 40, 10 * number + n)) for n in range(count)]
    return {
        "dataset": "shapegen",
        "condition": "abstract2",
        "trial": f"shapegen{number}",
        "n_objects": count,
        "oddity_index": odd,
        "images": [{"bytes": data, "path": None} for data in images],
        "n_subjects": 15,
        **dict.fromkeys(MEASURES, 0.5),
    }


def make_mochi(root: Path, rows: list[dict[str, Any]], name: str = "00000-of-00001") -> Path:
    path = root / f"data/train-{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    return root
