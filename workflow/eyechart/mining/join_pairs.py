"""Join the tables of pairs from all pairs of parts.

Reads the tables of all pairs of parts. Writes the table that one job would have written.

    python -m eyechart.mining.join_pairs
        --parts results/mining/tiny_clip_against_tiny_dino/clevr/parts/000-000.parquet
            results/mining/tiny_clip_against_tiny_dino/clevr/parts/000-001.parquet
            results/mining/tiny_clip_against_tiny_dino/clevr/parts/001-001.parquet
        --output results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet
"""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa

from eyechart.core.step import command
from eyechart.tables.pairs import NOTE, PAIRS
from eyechart.tables.parquet import read_notes, read_table, write_table


@command
def main(*, parts: list[Path], output: Path) -> None:
    """Write the joined table."""
    notes = [json.loads(read_notes(path)[NOTE]) for path in parts]
    lowest = [one["lowest_second"] for one in notes if one["lowest_second"] is not None]
    note = {
        **notes[0],
        "matching": sum(one["matching"] for one in notes),
        "highest_first": max(one["highest_first"] for one in notes),
        "lowest_second": min(lowest, default=None),
    }
    gap = pl.col("similarity_second") - pl.col("similarity_first")
    best = (
        pl.concat([pl.DataFrame(read_table(path)) for path in parts])
        .sort(gap, "first_id", "second_id")
        .head(note["settings"]["most"])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))
    )
    schema = PAIRS.with_metadata({NOTE: json.dumps(note, sort_keys=True)})
    write_table(output, pa.Table.from_arrays(best.to_arrow().cast(PAIRS).columns, schema=schema))
    print(f"{note['matching']} pairs match, {len(best)} are kept")


if __name__ == "__main__":
    main()
