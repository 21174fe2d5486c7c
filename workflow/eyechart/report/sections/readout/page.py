"""Readouts: tables, charts, and items that could not be read out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyechart.core.address import COMPONENT_NAMES, COMPONENTS, abbreviate
from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.report.files import Inputs
from eyechart.report.sections.readout.charts import readouts
from eyechart.report.sections.readout.load import (
    NAMES,
    Readout,
    blind_name,
    lines,
    read_readouts,
    unread_sentences,
)

Row = dict[str, Any]
ERRORS = ("abs_rel", "delta_1", "constant_abs_rel", "constant_delta_1")


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was read out."""
    found = read_readouts(inputs)
    return section(found, inputs.paths("heads"))


def section(found: Sequence[Readout], heads: Sequence[Path]) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was read out.

    ``heads``: ``depth_heads.json`` of each model that has depth heads.
    """
    if not found:
        return None
    there = {name for one in found for row in one.points for name in [row["component"]]}
    return {
        "blocks": [block(one) for one in found],
        "heads": head_lines(heads),
        "components": {n: COMPONENT_NAMES[n] for n in COMPONENTS if n != "decoder" or n in there},
    }


def block(readout: Readout) -> Row:
    """Return the template data of one model on one dataset."""
    return {
        "id": f"readout-{readout.dataset}-{readout.model}",
        "dataset": readout.dataset,
        "model": readout.model,
        "lines": lines(readout),
        "blind": blind_name(readout),
        "unread": unread_sentences(readout),
        "chart": readouts(readout),
    }


def head_lines(paths: Sequence[Path]) -> list[Row]:
    """Return one line per model and depth head with its errors on held-out images.

    Raise a UserError if an error lacks the error of a constant prediction, or its number of images.
    """
    found = []
    for path in paths:
        table = read_json(path)
        for row in table["heads"]:
            for field in (*ERRORS, "test_images", "train_images"):
                if row.get(field) is None:
                    raise UserError(f"{path}: the head at {row['address']!r} has no {field!r}")
            name = NAMES.get(row["readout"], row["readout"])
            where = abbreviate(list(dict.fromkeys(row.get("blocks", [row["address"]]))))
            line = {"model": table["model"], "dataset": table["dataset"], "name": name}
            found.append({**row, **line, "where": where})
    return found
