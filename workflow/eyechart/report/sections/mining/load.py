"""Mined pairs of images: similar to one encoder and different to another."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from eyechart.report.files import File
from eyechart.tables.parquet import read_table


def read_mined(files: Sequence[File]) -> list[dict[str, Any]]:
    """Return of each table the two models, the dataset, the number of pairs and extreme cosines."""
    found = []
    for file in files:
        rows = pl.DataFrame(read_table(file.path, ["similarity_first", "similarity_second"]))
        first, second, dataset = (file.names[n] for n in ("first", "second", "dataset"))
        found.append(
            {
                **file.names,
                "pairs": len(rows),
                "lowest_first": rows["similarity_first"].min(),
                "highest_second": rows["similarity_second"].max(),
                "sheet": f"mining/{first}_against_{second}/{dataset}/sheet.html",
            }
        )
    return found
