"""Predictions of readouts and probes, scored as right or wrong per item."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.core.address import (
    CENTER,
    CONNECTOR,
    DECODER,
    LM,
    REFERENT,
    VISION,
    component,
    sort_key,
)
from eyechart.core.errors import UserError, nearest
from eyechart.tables import readouts
from eyechart.tables.parquet import read_table
from eyechart.tables.probes import PREDICTIONS, PROBES

SUFFIX = ".predictions.parquet"
SEEN = ("alone", "canvas")
KEY = ["address", "span", "probe", "seed"]
WHOLE_IMAGE = ("image_mean", "cls")  # spans of image tokens for questions without a region
Row = dict[str, Any]


@dataclass(frozen=True)
class ProbeResults:
    """Predictions of the probes of an item task on its test items.

    Attributes
    ----------
    ids : str, shape (n,)
    stages : by stage, the address and span that represent it, and whether each item is right (n,)
    majority : float, shape (n,)
        Whether the most common answer of the training set, or of the item's type, is right.
    typed : bool
        Whether image tokens have a probe per question type.
    unknown : str
        The reason why image tokens could not be probed without a region; otherwise empty.
    """

    ids: np.ndarray
    stages: dict[str, tuple[str, np.ndarray]]
    majority: np.ndarray
    typed: bool = False
    unknown: str = ""


def read_readouts(path: Path, items: pl.DataFrame) -> pl.DataFrame:
    """Load the predictions of readouts, without the shuffled controls.

    Returns
    -------
    DataFrame
        ``task, seen, address, readout, item_id`` str and ``right`` float.

    Raises
    ------
    UserError
        If an item is unknown, differs in task or answer from the dataset, or is predicted twice, or
        if ``seen`` is unknown.
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
        "has another task in items.parquet": pl.col("task") != pl.col("known"),
        "has another answer in items.parquet": other,
        "is predicted twice": pl.struct([*rows.columns[:4], "item_id"]).is_duplicated(),
    }
    for mistake, wrong in mistakes.items():
        found = named.filter(wrong)
        if len(found):
            raise UserError(f"{path}: item {found['item_id'][0]!r} {mistake}")
    right = (pl.col("predicted") == pl.col("answer")).fill_null(False).cast(pl.Float64)
    return rows.select("task", "seen", "address", "readout", "item_id", right=right)


def read_probes(
    path: Path, model: str, dataset: str, encoder: Collection[str]
) -> tuple[str, ProbeResults] | None:
    """Load the probes of a task and their predictions, stage by stage.

    Linear probes are used if there are any: later components may be unable to use information that
    only a deeper probe finds, and a linear eraser leaves it in place. Image tokens are read at the
    item's region if it has one, otherwise over the image. If there is a probe per question type,
    only items of these types are read, at every stage. Among several candidates, the one with the
    highest cross-validated accuracy on the training set is used; the test set is not used for
    this choice.

    Parameters
    ----------
    encoder : collection of str
        The encoder's addresses: those that the connector reads, or the configured one.

    Returns
    -------
    tuple of str and ProbeResults, or None
        The task and its results; None for an image task, or if no stage was probed.

    Raises
    ------
    UserError
        If the table belongs to another model or dataset, or if predictions are missing or their
        items differ between addresses.
    """
    rows = pl.DataFrame(read_table(path, PROBES.names))
    for column, value in (("model", model), ("dataset", dataset)):
        for other in rows.filter(pl.col(column) != value)[column].unique():
            raise UserError(f"{path}: {column} is {other!r}, expected {value!r}")
    unknown = rows["reason"].drop_nulls().to_list()
    rows = rows.filter(pl.col("kind") == "task", pl.col("scope") == "item")
    chosen = _candidates(rows.to_dicts(), encoder)
    if not chosen:
        return None
    predictions = pl.DataFrame(read_table(path.with_suffix(SUFFIX), PREDICTIONS.names)).sort("id")
    right = predictions.with_columns(
        right=(pl.col("truth") == pl.col("prediction")).cast(pl.Float64)
    )
    typed = any(row["n_types"] for part in chosen.values() for row in part)
    majority = right.filter(kind="majority_type" if typed else "majority")
    right = right.join(majority.select("id"), on="id", how="semi", maintain_order="left")
    by_probe = right.filter(kind="task").partition_by(KEY, as_dict=True)
    stages = {}
    for stage, part in chosen.items():
        best = max(part, key=lambda row: row["cv_accuracy"])
        name, own = f"{best['address']}/{best['span']}", by_probe.get(tuple(best[k] for k in KEY))
        if own is None or own["id"].to_list() != majority["id"].to_list():
            raise UserError(
                f"{path.with_suffix(SUFFIX)}: predictions at {name} have other items than the "
                "majority answer; delete it and run again"
            )
        stages[stage] = (name, own["right"].to_numpy())
    return rows["task"][0], ProbeResults(
        *(majority["id"].to_numpy(), stages, majority["right"].to_numpy()),
        *(typed, unknown[0] if unknown else ""),
    )


def _candidates(rows: list[Row], encoder: Collection[str]) -> dict[str, list[Row]]:
    """Return the rows of probes that may represent each stage, omitting stages without probes."""
    rows = [row for row in rows if row["probe"] == "linear"] or rows
    spans = {row["span"] for row in rows}
    region = next(([span] for span in (CENTER, REFERENT) if span in spans), WHOLE_IMAGE)
    tokens = [row for row in rows if row["span"] in region]
    said = [row for row in rows if row["span"] == "last"]
    found = {
        "encoder": [row for row in _within(tokens, VISION) if row["address"] in encoder],
        "connector": _at_end(_within(tokens, CONNECTOR), -1),
        **_along("lm", _within(tokens, LM)),
        **_along("position", _within(said, DECODER) or _within(said, LM)),
    }
    return {stage: part for stage, part in found.items() if part}


def _within(rows: list[Row], name: str) -> list[Row]:
    return [row for row in rows if component(row["address"]) == name]


def _along(stage: str, rows: list[Row]) -> dict[str, list[Row]]:
    ends = {f"{stage}_first": _at_end(rows, 0), f"{stage}_last": _at_end(rows, -1)}
    return ends | {f"{stage}_best": rows}


def _at_end(rows: list[Row], index: int) -> list[Row]:
    """Return the rows at the first (0) or last (-1) address."""
    addresses = sorted({row["address"] for row in rows}, key=sort_key)
    return [row for row in rows if row["address"] == addresses[index]]
