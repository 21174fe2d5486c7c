"""Find CLIP-blind pairs: images that are similar to one encoder and different to another.

Reads the activations of two encoders of scope image and the dataset's images. Writes a row per
pair, widest gap first; the table's metadata hold the settings and how many pairs match.
Source: Tong et al. 2024 (Eyes Wide Shut): cosine > 0.95 in CLIP, < 0.6 in DINOv2.

Memory, in addition to Python and its libraries: at most ``search.memory_bound`` bytes, and the
column of the largest part as it is stored, once.

    python -m eyechart.mining.find_pairs
        --first results/extraction/tiny_clip/clevr/image/manifest.json
        --second results/extraction/tiny_dino/clevr/image/manifest.json
        --images results/datasets/clevr/images.parquet
        --settings '{"first": "connector/cls", "second": "vision.3/cls", "similar": 0.95,
                     "different": 0.6, "centre": false, "block": 2048, "most": 500}'
        --output results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyechart.core.step import Json, command
from eyechart.mining.features import read_distinct, read_features, to_unit_length
from eyechart.mining.search import SearchResult, memory_bound, search
from eyechart.tables.activations import not_dropped, read_dropped, read_manifest
from eyechart.tables.pairs import NOTE, PAIRS
from eyechart.tables.parquet import write_table


def read_both(
    first: Path, second: Path, settings: dict[str, Any], ids: pa.Array
) -> tuple[np.ndarray, np.ndarray]:
    """Return both encoders' features, rows of length 1, shapes (n, d₁) and (n, d₂)."""
    found = []
    for path, column in ((first, settings["first"]), (second, settings["second"])):
        features = read_features(path, column, ids)
        to_unit_length(features, settings["centre"], f"{path}: column {column!r}", ids)
        found.append(features)
    return found[0], found[1]


def as_table(found: SearchResult, ids: pa.Array, note: dict[str, Any]) -> pa.Table:
    """Return the pairs that were kept as a table, ``note`` in its metadata."""
    best = found.best
    columns = [
        pa.array(range(1, len(best) + 1), pa.int32()),
        ids.take(pa.array(best["i"])),
        ids.take(pa.array(best["j"])),
        pa.array(best["first"]),
        pa.array(best["second"]),
    ]
    schema = PAIRS.with_metadata({NOTE: json.dumps(note, sort_keys=True)})
    return pa.Table.from_arrays(columns, schema=schema)


@command
def main(*, first: Path, second: Path, images: Path, settings: Json, output: Path) -> None:
    """Search and write one table."""
    ids, copies = read_distinct(images)
    ids = ids.filter(not_dropped(ids, [*read_dropped(first), *read_dropped(second)]))
    features = read_both(first, second, settings, ids)
    size = memory_bound(features, settings)
    print(f"{len(ids)} images: at most {size / 1e6:.0f} MB")
    found = search(features, settings)
    above = found.lowest_second <= 1.5
    note = {
        "dataset": read_manifest(first)["dataset"],
        "first": read_manifest(first)["model"],
        "second": read_manifest(second)["model"],
        "settings": settings,
        "images": len(ids),
        "copies": copies,
        "matching": found.matching,
        "highest_first": round(found.highest_first, 4),
        "lowest_second": round(found.lowest_second, 4) if above else None,
    }
    write_table(output, as_table(found, ids, note))
    print(f"{found.matching} pairs match, {len(found.best)} are kept")


if __name__ == "__main__":
    main()
