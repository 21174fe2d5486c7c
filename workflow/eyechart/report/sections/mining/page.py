"""Mined pairs: the number found, and the sheets that show them."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from eyechart.report.files import File, Inputs
from eyechart.tables.parquet import read_table


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was mined."""
    mined = read_mined(inputs.of("pairs"))
    return {"mined": mined} if mined else None


def read_mined(files: Sequence[File]) -> list[dict[str, Any]]:
    """Return the models, dataset, number of pairs and extreme cosines of each table."""
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
