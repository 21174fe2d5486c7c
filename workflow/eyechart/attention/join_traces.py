"""Join the tables of all parts of a dataset's traced items.

Reads the tables of all parts, in order. Writes each table once, with notes counted over all parts.

    python -m eyechart.attention.join_traces \
        --parts results/attention/tiny_llava/cv_bench/000/lens.parquet \
            results/attention/tiny_llava/cv_bench/001/lens.parquet \
        --outputs results/attention/tiny_llava/cv_bench/lens.parquet
"""

from pathlib import Path

import pyarrow as pa

from eyechart.core.step import command
from eyechart.tables.notes import join_notes, notes_of, write_noted
from eyechart.tables.parquet import read_table


@command
def main(*, parts: list[Path], outputs: list[Path]) -> None:
    """Write each joined table."""
    for path in outputs:
        own = [part for part in parts if part.stem == path.stem]
        tables = [read_table(part).replace_schema_metadata() for part in own]
        write_noted(path, pa.concat_tables(tables).combine_chunks(), join_notes(map(notes_of, own)))


if __name__ == "__main__":
    main()
