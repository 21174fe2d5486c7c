"""What mining found: pairs of pictures alike to one encoder and different to another."""

from pathlib import Path
from typing import Any

import polars as pl

from eyechart.errors import UserError
from eyechart.tables.parquet import read_table

BETWEEN = "_against_"


def read_mined(path: Path) -> dict[str, Any]:
    """Give the two models, the dataset and how many pairs there are, with their cosines' ends.

    The path ``<first>_against_<second>/<dataset>/pairs.parquet`` names models and dataset.

    Raises
    ------
    UserError
        If the path does not.
    """
    first, between, second = path.parent.parent.name.partition(BETWEEN)
    if not between:
        raise UserError(f"{path}: expected <first>{BETWEEN}<second>/<dataset>/{path.name}")
    found = {"first": first, "second": second, "dataset": path.parent.name}
    rows = pl.DataFrame(read_table(path, ["similarity_first", "similarity_second"]))
    return found | {
        "pairs": len(rows),
        "alike": rows["similarity_first"].min(),
        "apart": rows["similarity_second"].max(),
        "sheet": f"mining/{path.parent.parent.name}/{path.parent.name}/sheet.html",
    }
