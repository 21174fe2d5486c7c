"""Saliency: the summary of a model on a dataset, its deletion curves, and its sample items."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.core.address import sort_key
from eyechart.core.randomness import generator
from eyechart.report.checking import Checker, absent, below
from eyechart.report.files import Inputs, check_pair, identify
from eyechart.report.labels import natural
from eyechart.report.mapped_images import MappedImage, mapped_images
from eyechart.statistics.bootstrap import GroupBootstrap
from eyechart.tables.notes import read_noted
from eyechart.tables.saliency import CURVES, IMAGE_USE, MAPS, RANK, SINGULAR, SUMMARY

DRAWS = 1000  # draws of the bootstrap by group, for the bands
RANDOM = "random"
METHODS = {
    "gradient": "gradient times state",
    "integrated": "integrated gradients",
    "grad_cam": "Grad-CAM",
    "relevancy": "relevancy",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Attributed:
    """One model on one dataset; ``rows`` are the rows of the summary."""

    model: str
    dataset: str
    rows: list[Row]
    note: str


def read_attributed(paths: Sequence[Path]) -> list[Attributed]:
    """Read summaries, sorted by dataset and model.

    Raise a UserError if a row's model or dataset differs from its path, or if a row has a value
    without n, interval and control.
    """
    found = []
    for path in sorted(paths, key=lambda path: identify(path).pair[::-1]):
        table, notes = read_noted(path, SUMMARY)
        rows = pl.DataFrame(table)
        check_pair(path, rows.select("model", "dataset").unique().iter_rows())
        checker = Checker(path, rows, lambda r: f"{r['metric']} of {r['method']}, {r['task']}")
        for field in ("value", "control_value", "difference", "p", "q", "n"):
            checker.refuse(absent(field), f"no {field!r}")
        for field in ("ci_low", "ci_high", "difference_low", "difference_high"):
            checker.refuse(absent(field) & (pl.col("groups") > 1), f"no {field!r}")
        checker.refuse(below("q", "p"), "q is below p")
        order = sorted(rows.to_dicts(), key=lambda r: (natural(r["task"]), _place(r)))
        found.append(Attributed(*identify(path).pair, order, notes.get("note", "")))
    return found


def read_image_use(path: Path, model: str) -> tuple[list[Row], str]:
    """Read the table on a model's use of the image, and the note on missing parts.

    Raise a UserError if a row's model differs from the path, or if a mean over items has no
    interval.
    """
    table, notes = read_noted(path, IMAGE_USE)
    rows = pl.DataFrame(table)
    checker = Checker(path, rows, lambda r: f"{r['metric']} at {r['address'] or 'all'}")
    checker.refuse(pl.col("model") != model, f"it does not belong to {model}")
    checker.refuse(absent("ci_low") & ~pl.col("metric").is_in([SINGULAR, RANK]), "no 'ci_low'")
    order = sorted(rows.to_dicts(), key=lambda r: (natural(r["task"]), sort_key(r["address"])))
    return order, notes.get("note", "")


def name_of(row: Row) -> str:
    """Return the name of a map: its method and address."""
    return f"{METHODS[row['method']]}, {row['address']}"


def falls(path: Path) -> list[Row]:
    """Return the decrease of the score, with interval, per task, map and share of tokens.

    Random orders are the rows with ``series`` ``random``.
    """
    table = pl.DataFrame(read_noted(path, CURVES)[0]).sort("item_id")
    found = []
    keys = ["task", "method", "address"]
    parts = dict(iter(table.group_by(keys)))
    for key in sorted(parts, key=lambda k: (natural(str(k[0])), *_order(str(k[1]), str(k[2])))):
        own, named = parts[key], dict(zip(keys, key, strict=True))
        boot = GroupBootstrap(
            own["group"].to_numpy(), DRAWS, generator("falls", path.name, *map(str, key))
        )
        for series, column in ((name_of(named), "deleted"), (RANDOM, "random")):
            curve = np.array(own[column].to_list())  # (n, points + 1)
            means = boot.means(curve[:, :1] - curve)
            for n in range(curve.shape[1]):
                share = n / (curve.shape[1] - 1)
                ends = {"low": float(means.low[n]), "high": float(means.high[n])}
                value = {"share": share, "value": float(means.value[n]), **ends}
                found.append({**named, "series": series, **value, "n": len(own)})
    return found


def read_pictures(inputs: Inputs, one: Attributed) -> list[MappedImage]:
    """Read the images that have a map, with its positive part; see ``mapped_images``."""
    pair = one.model, one.dataset
    (maps,) = (file.path for file in inputs.of("saliency_maps") if file.pair == pair)
    rows = pl.DataFrame(read_noted(maps, MAPS)[0]).sort("item_id", "number").to_dicts()
    shown = [
        row | {"title": name_of(row), "saliency": np.clip(row["saliency"], 0, None)}
        for row in sorted(rows, key=_place)
    ]
    return mapped_images(inputs, one.dataset, maps, shown, "saliency")


def _place(row: Row) -> tuple[int, Any]:
    return _order(row["method"], row["address"])


def _order(method: str, address: str) -> tuple[int, Any]:
    return list(METHODS).index(method), sort_key(address)
