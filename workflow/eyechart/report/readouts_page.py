"""What the template of readouts is given: tables, charts and what could not be read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyechart.errors import UserError
from eyechart.report.behaviour import SHOWN
from eyechart.report.chart_readouts import readouts
from eyechart.report.places import spell
from eyechart.report.readouts import NAMES, Readout, lines, unread_sentences
from eyechart.tables.files import read_json

Row = dict[str, Any]
ERRORS = ("abs_rel", "delta_1", "constant_abs_rel", "constant_delta_1")


def section(found: Sequence[Readout], heads: Sequence[Path]) -> dict[str, Any] | None:
    """Give all that the section of readouts shows, or None where nothing was read.

    Parameters
    ----------
    found : sequence of Readout
    heads : sequence of Path
        ``depth_heads.json`` of each model that has depth heads.
    """
    if not found:
        return None
    return {"blocks": [block(one) for one in found], "heads": head_lines(heads)}


def block(readout: Readout) -> dict[str, Any]:
    """Give what the section shows of one model on one dataset."""
    blind = readout.blind()
    return {
        "id": f"reads-{readout.dataset}-{readout.model}",
        "dataset": readout.dataset,
        "model": readout.model,
        "lines": lines(readout),
        "blind": SHOWN[blind] if blind else "",
        "unread": unread_sentences(readout),
        "chart": readouts(readout),
    }


def head_lines(paths: Sequence[Path]) -> list[Row]:
    """Give a line per model and depth head: how far off it is on pictures that it never saw.

    Raises
    ------
    UserError
        If an error stands without that of a constant, or without its number of pictures.
    """
    found = []
    for path in paths:
        told = read_json(path)
        for row in told["heads"]:
            for field in (*ERRORS, "test_pictures", "train_pictures"):
                if row.get(field) is None:
                    raise UserError(f"{path}: the head at {row['address']!r} has no {field!r}")
            name = NAMES.get(row["readout"], row["readout"])
            where = spell(row.get("blocks", [row["address"]]))
            line = {"model": told["model"], "dataset": told["dataset"], "name": name}
            found.append({**row, **line, "where": where})
    return found
