"""Write the page on speed and memory of all models, which works offline.

Reads the tables of speed.

    python -m eyechart.report.sections.speed.sheet --tables results/speed/tiny_llava.parquet \
        --output results/speed/index.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.files import write_text
from eyechart.core.step import command
from eyechart.report.templates import render_sheet
from eyechart.tables.parquet import read_table
from eyechart.tables.speed import SPEED


def render(tables: Sequence[Path]) -> str:
    """Return the page."""
    frames = [pl.DataFrame(read_table(path, SPEED.names)) for path in tables]
    return render_sheet("speed", rows=[row for frame in frames for row in lines(frame)])


def lines(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one row per precision: its best batch size and batch 1, or why it has none."""
    found = []
    for _, part in frame.group_by("precision", maintain_order=True):
        rows = part.to_dicts()
        best = next((row for row in rows if row["best"]), rows[0])
        found.append({**best, "alone": rows[0]})
    return found


@command
def main(*, tables: list[Path], output: Path) -> None:
    """Write one page."""
    write_text(output, render(tables))


if __name__ == "__main__":
    main()
