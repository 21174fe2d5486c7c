"""Join the responses of all parts of a dataset.

Reads the tables of all parts and, if items are answered in steps, the tables of the previous look.
Writes one table per condition, named after the condition.

    python -m eyechart.behavior.join_answers --so-far \
        --parts results/behavior/parts/tiny_llava/clevr/1/000/sighted.parquet \
            results/behavior/parts/tiny_llava/clevr/1/001/sighted.parquet \
        --outputs results/behavior/responses/tiny_llava/clevr/sighted.parquet
"""

from pathlib import Path

from eyechart.core.step import Paths, command
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.responses import joined_responses


@command
def main(*, parts: list[Path], so_far: Paths, outputs: list[Path]) -> None:
    """Write one table per condition."""
    for path in outputs:
        own = [part for part in [*parts, *so_far] if part.stem == path.stem]
        write_table(path, joined_responses([read_table(part) for part in own]))


if __name__ == "__main__":
    main()
