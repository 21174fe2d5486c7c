"""Predictions of readouts and probes, as right or wrong per item."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.core.address import OTHER_OBJECT, in_language_model, sort_key
from eyechart.core.errors import UserError, nearest
from eyechart.tables import readouts
from eyechart.tables.parquet import read_table
from eyechart.tables.probes import PREDICTIONS, PROBES

SUFFIX = ".predictions.parquet"
SEEN = ("alone", "canvas")
KEY = ["address", "span", "probe", "seed"]


@dataclass(frozen=True)
class ProbeResults:
    """Predictions of a language model's probes on the test items of an item task.

    ``best`` and ``last`` (over all addresses, at the last) are chosen by cross-validation on the
    training part, not on the test part.
    """

    path: Path
    ids: np.ndarray
    best: tuple[str, np.ndarray]
    last: tuple[str, np.ndarray]
    majority: np.ndarray


def read_readouts(path: Path, items: pl.DataFrame) -> pl.DataFrame:
    """Load the predictions of readouts, without those of the shuffled controls.

    Returns
    -------
    DataFrame
        ``task, seen, address, readout, item_id`` str and ``right`` float.

    Raises
    ------
    UserError
        If an item is unknown, differs in task or answer from the dataset, or is predicted twice;
        or ``seen`` is unknown.
    """
    rows = pl.DataFrame(read_table(path, readouts.PREDICTIONS.names)).drop("scores")
    rows = rows.filter(~pl.col("readout").str.ends_with(readouts.SHUFFLED))
    for name in rows.filter(~pl.col("seen").is_in(SEEN))["seen"].unique():
        raise UserError(f"{path}: seen is {name!r}; {nearest(name, SEEN)}")
    named = rows.join(
        items.select("item_id", known="task", truth="answer"), on="item_id", how="left"
    )
    other = pl.col("answer").ne_missing(pl.col("truth"))
    mistakes = {
        "is not among the dataset's items": pl.col("known").is_null(),
        "is of another task in items.parquet": pl.col("task") != pl.col("known"),
        "has another answer in items.parquet": other,
        "is predicted twice": pl.struct([*rows.columns[:4], "item_id"]).is_duplicated(),
    }
    for mistake, wrong in mistakes.items():
        found = named.filter(wrong)
        if len(found):
            raise UserError(f"{path}: item {found['item_id'][0]!r} {mistake}")
    right = (pl.col("predicted") == pl.col("answer")).fill_null(False).cast(pl.Float64)
    return rows.select("task", "seen", "address", "readout", "item_id", right=right)


def read_probes(path: Path, model: str, dataset: str) -> tuple[str, ProbeResults] | None:
    """Load the probes of a task and their predictions; None for a task about images.

    Returns
    -------
    tuple of str and Probed, or None
        The task and its results; None also if the language model was not probed.

    Raises
    ------
    UserError
        If the table is of another model or dataset, or predictions are missing or differ
        in their items between addresses.
    """
    rows = pl.DataFrame(read_table(path, PROBES.names))
    for column, value in (("model", model), ("dataset", dataset)):
        for other in rows.filter(pl.col(column) != value)[column].unique():
            raise UserError(f"{path}: {column} is {other!r}, expected {value!r}")
    rows = rows.filter(pl.col("kind") == "task", pl.col("scope") == "item")
    rows = rows.filter(pl.col("span") != OTHER_OBJECT)  # a control is no stage
    rows = rows.filter(pl.col("n_types").is_null())
    rows = rows.filter(pl.col("address").map_elements(in_language_model, return_dtype=pl.Boolean))
    if not len(rows):
        return None
    last = max(rows["address"].unique(), key=sort_key)
    predictions = pl.DataFrame(read_table(path.with_suffix(SUFFIX), PREDICTIONS.names)).sort("id")
    right = predictions.with_columns(
        right=(pl.col("truth") == pl.col("prediction")).cast(pl.Float64)
    )
    majority = right.filter(pl.col("kind") == "majority")
    ids = majority["id"].to_numpy()

    def best(part: pl.DataFrame) -> tuple[str, np.ndarray]:
        key = part.sort("cv_accuracy", descending=True, maintain_order=True).select(KEY).row(0)
        match = (pl.col(n) == v for n, v in zip(KEY, key, strict=True))
        own = right.filter(pl.col("kind") == "task", *match)
        name = f"{key[0]}/{key[1]}"
        if own["id"].to_list() != ids.tolist():
            raise UserError(
                f"{path.with_suffix(SUFFIX)}: predictions at {name} are of other items than those "
                "of the majority answer; delete it and run again"
            )
        return name, own["right"].to_numpy()

    at_last = rows.filter(pl.col("address") == last)
    return rows["task"][0], ProbeResults(
        path, ids, best(rows), best(at_last), majority["right"].to_numpy()
    )
