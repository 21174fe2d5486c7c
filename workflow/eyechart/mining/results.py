"""Write the mined pairs as a table, with their number in its metadata."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart.mining.features import Aligned
from eyechart.mining.search import SearchResult
from eyechart.tables.pairs import NOTE, PAIRS
from eyechart.tables.parquet import write_table


def write_pairs(
    output: Path,
    found: SearchResult,
    aligned: Aligned,
    settings: dict[str, Any],
    recall: dict[str, Any] | None = None,
) -> None:
    """Write the kept pairs; ``recall`` describes a search that did not compare all pairs."""
    best, ids = found.best, aligned.ids
    above = found.lowest_second <= 1.5
    note = {
        **aligned.note,
        "settings": settings,
        "matching": found.matching,
        "highest_first": None if recall else round(found.highest_first, 4),
        "lowest_second": round(found.lowest_second, 4) if above else None,
        "recall": recall,
    }
    columns = [
        pa.array(range(1, len(best) + 1), pa.int32()),
        *(ids.take(pa.array(best[row])) for row in ("i", "j")),
        *(pa.array(best[encoder]) for encoder in ("first", "second")),
    ]
    schema = PAIRS.with_metadata({NOTE: json.dumps(note, sort_keys=True)})
    write_table(output, pa.Table.from_arrays(columns, schema=schema))
    print(f"{found.matching} pairs match, {len(best)} are kept")
