"""A miniature of CV-Bench on the hub: ``test_3d.parquet`` with depth order and distance."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from skills_fixture import encode, photo

SIZE = (60, 40)
BOXES = [[5.0, 4.5, 25.0, 30.0], [30.0, 10.0, 59.5, 40.0]]
SCHEMA = pa.schema(
    [
        ("idx", pa.int64()),
        ("type", pa.string()),
        ("task", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("question", pa.string()),
        ("choices", pa.list_(pa.string())),
        *[(name, pa.string()) for name in ("answer", "prompt", "filename", "source")],
        *[(name, pa.string()) for name in ("source_dataset", "source_filename", "target_class")],
        ("target_size", pa.int64()),
        ("bbox", pa.list_(pa.list_(pa.float64()))),
    ]
)


def row(idx: int, answer: str, task: str = "Depth") -> dict[str, Any]:
    question = (
        "Which object is closer to the camera taking this photo, the sink (highlighted by a red "
        "box) or the bottle (highlighted by a blue box)?"
    )
    boxes = BOXES if task == "Depth" else [*BOXES, [1.0, 1.0, 9.0, 9.0]]
    return {
        "idx": idx,
        "type": "3D",
        "task": task,
        "image": {"bytes": encode(photo(*SIZE, idx)), "path": f"{idx}.png"},
        "question": question,
        "choices": ["sink", "bottle"],
        "answer": answer,
        "prompt": f"{question} Select from the following choices.\n(A) sink\n(B) bottle",
        "filename": f"img/3D/depth/omni3d_sunrgbd_{idx}.png",
        "source": "Omni3D",
        "source_dataset": "Omni3D_SUNRGBD",
        "source_filename": f"SUNRGBD/kv2/{idx // 10}.jpg",
        "target_class": None,
        "target_size": None,
        "bbox": boxes,
    }


def make_cv_bench(root: Path, rows: list[dict[str, Any]]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), root / "test_3d.parquet")
    return root
