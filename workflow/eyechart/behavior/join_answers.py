"""Join the responses that were given in parts.

Reads the tables of all parts and, where items are answered in steps, those of the look before.
Writes one table per condition, which is named after it.

    python -m eyechart.behavior.join_answers --so-far \
        --parts results/behavior/parts/tiny_llava/clevr/1/000/sighted.parquet \
            results/behavior/parts/tiny_llava/clevr/1/001/sighted.parquet \
        --outputs results/behavior/responses/tiny_llava/clevr/sighted.parquet
"""

import json
from pathlib import Path

import pyarrow as pa

from eyechart.core.step import Paths, command
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.responses import DROPPED, read_dropped


@command
def main(*, parts: list[Path], so_far: Paths, outputs: list[Path]) -> None:
    """Write one table per condition."""
    for path in outputs:
        own = [part for part in [*parts, *so_far] if part.stem == path.stem]
        found = [read_table(part) for part in own]
        note = dict(found[0].schema.metadata or {})  # of the look, the same in all its parts
        lost = {item: why for part in own for item, why in read_dropped(part).items()}
        note |= {DROPPED: json.dumps(lost, sort_keys=True, ensure_ascii=False)} if lost else {}
        joined = pa.concat_tables([one.replace_schema_metadata(note) for one in found])
        write_table(path, joined.sort_by([("item_id", "ascending"), ("order", "ascending")]))


if __name__ == "__main__":
    main()
