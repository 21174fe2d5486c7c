"""Tables of tuning for the section: checked rows over all seeds, and maps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.report.checking import Checker, absent, below
from eyechart.report.files import Inputs, check_pair
from eyechart.report.mapped_images import MappedImage, mapped_images
from eyechart.tables.conditions import TRUE
from eyechart.tables.notes import read_noted
from eyechart.tables.parquet import read_table
from eyechart.tables.tuning import TUNED_MAPS, TUNING

Row = dict[str, Any]
GAIN = ("gain", "gain_low", "gain_high", "p", "q")


def read_tuning(paths: Sequence[Path]) -> list[Row]:
    """Return the rows on true data over all seeds; ``controls`` are those on other data, by name.

    Raise a UserError for an accuracy without n, or a gain without interval, p or q.
    """
    found: list[Row] = []
    for path in paths:
        table = pl.DataFrame(read_table(path, TUNING.names))
        check_pair(path, ((model, "") for model in table["model"].unique()))
        check(path, table)
        rows = table.filter(pl.col("seed").is_null()).to_dicts()
        others = [row for row in rows if row["data"] != TRUE]
        for row in rows:
            if row["data"] == TRUE:
                same = ("dataset", "task", "arm")
                own = [one for one in others if all(one[n] == row[n] for n in same)]
                seeds = table.filter(**{n: row[n] for n in (*same, "data")})["seed"].n_unique() - 1
                found.append(row | {"controls": {o["data"]: o for o in own}, "seeds": seeds})
    return found


def check(path: Path, table: pl.DataFrame) -> None:
    """Raise a UserError for the first row that the report must not show."""
    checker = Checker(path, table, lambda row: f"{row['arm']} on {row['data']} data")
    for name in ("before", "after", "n", "groups", "lift_low", "lift_high"):
        checker.refuse(absent(name), f"no {name}")
    for name in GAIN[1:]:
        checker.refuse(~absent("gain") & absent(name), f"a gain without {name}")
    checker.refuse((pl.col("data") == TRUE) & absent("gain"), "no gain")
    checker.refuse(below("q", "p"), "its q is below its p")


def read_moved(inputs: Inputs, model: str) -> tuple[list[MappedImage], list[str]]:
    """Read the images of a model's items, with the change of attention by each arm.

    Return them by dataset and task, with sentences about missing images. The change is after minus
    before, mean over seeds.
    """
    found, missing = [], []
    for file in inputs.of("tuning_maps"):
        if file.names["model"] != model:
            continue
        table, notes = read_noted(file.path, TUNED_MAPS)
        task, dataset = file.names["task"], file.names["dataset"]
        check_pair(
            file.path, zip(*(table[n].to_pylist() for n in ("model", "dataset")), strict=True)
        )
        said = (notes[name] for name in ("reason", "note") if notes.get(name))
        missing += [f"{task} of {dataset}: {text}." for text in said]
        found += mapped_images(inputs, dataset, file.path, changes(table.to_pylist()), "change")
    return found, missing


def changes(rows: Sequence[Row]) -> list[Row]:
    """Return the change of attention to each token per image and arm, mean over seeds."""
    seeds: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        seeds.setdefault((row["item_id"], row["number"], row["arm"]), []).append(row)
    found = []
    for (*_, arm), own in seeds.items():
        change = np.mean([np.subtract(row["after"], row["before"]) for row in own], axis=0)
        title = arm if len(own) == 1 else f"{arm}, mean of {len(own)} seeds"
        found.append(own[0] | {"title": title, "change": change})
    return found
