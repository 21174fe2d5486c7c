"""Write the docs page of all tables between stages, from their schemas and descriptions.

Reads: the modules of ``eyechart.tables``. The string below a schema describes it: a paragraph on
its rows, then one line per column, ``name: meaning`` or ``name (unit): meaning``. Similar columns
may share a line, a line may continue on indented lines, and columns in COMMON may be omitted. Such
a string is not code, so editing it reruns nothing.
Writes: docs/tables.md

    python -m eyechart.tables.write_docs --output docs/tables.md
"""

import ast
import importlib
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from eyechart.core.files import write_text
from eyechart.core.step import command
from eyechart.tables.result_lookup import PATTERNS

HEADER = """# Tables

This page describes all tables that stages exchange. They are zstd-compressed Parquet files, renamed
into place when they are complete. The page is generated from the schemas in
`workflow/eyechart/tables/`; after changing one, run

    python -m eyechart.tables.write_docs --output docs/tables.md

Null means that a value does not apply. In a notebook,
[`from eyechart import results`](notebooks.md) reads the tables as data frames.
"""
COMMON = {
    "model": ("", "Name in the registry"),
    "dataset": ("", "Name in the configuration"),
    "task": ("", "Name of the task"),
    "item_id": ("", "The item, as in items.parquet"),
    "image_id": ("", "The image, as in images.parquet"),
    "group": (
        "",
        "Items that are never split between train and test, such as those of a scene or a pair",
    ),
    "address": ("", "The layer: `vision.3`, `connector`, `lm.12`, `lm.norm`, `decoder.2`"),
    "span": ("", "Tokens pooled there, such as `cls`, `image_mean`, `last`, `referent`"),
    "value": ("share", "Correct answers"),
    "ci_low": ("", "Lower end of the 95% interval, by group"),
    "ci_high": ("", "Upper end of the 95% interval, by group"),
    "chance": ("share", "Expected accuracy of guesses"),
    "n": ("", "Items counted"),
    "groups": ("", "Groups of these items"),
    "q": ("", "p, corrected over all tests of the table (Benjamini–Hochberg)"),
}


class Entry(NamedTuple):
    """One table on the page: its title, the module and name of its schema, its kinds of files."""

    title: str
    module: str
    schema: str
    kinds: tuple[str, ...]
    table: str = ""


TABLES = (
    Entry("Items", "items", "ITEMS", ("items",)),
    Entry("Images", "items", "IMAGES", ("images",)),
    Entry("Regions", "regions", "REGIONS", ("regions",)),
    Entry("Training curves", "curves", "CURVE", ("curves", "shipped curves", "built curves")),
    Entry("Activations", "activations", "PART", ("activation parts",)),
    Entry("Probes", "probes", "PROBES", ("probes",)),
    Entry("Predictions of probes", "probes", "PREDICTIONS", ("probe predictions",)),
    Entry("Readouts", "readouts", "READOUTS", ("readouts",)),
    Entry("Predictions of readouts", "readouts", "PREDICTIONS", ("readout predictions",)),
    Entry("Responses", "responses", "ANSWERS", ("responses",)),
    Entry("Scores", "scores", "SCORES", ("scores", "retrieval")),
    Entry("Distributions of responses", "scores", "DISTRIBUTIONS", ("distributions",)),
    Entry("Patterns", "scores", "PATTERNS", ("patterns", "patterns of a model"), "patterns"),
    Entry("Correlations of patterns", "scores", "CORRELATIONS",
          ("patterns", "patterns of a model"), "correlations"),
    Entry("Mined pairs", "pairs", "PAIRS", ("pairs", "pairs of parts")),
    Entry("Images of aligned features", "pairs", "ALIGNED", ("aligned features",)),
    Entry("Cues", "concepts", "CUES", ("concepts",), "cues"),
    Entry("Separation of concepts", "concepts", "SEPARATION", ("concepts",), "separation"),
    Entry("Projection of concepts", "concepts", "PROJECTION", ("concepts",), "projection"),
    Entry("Attention", "attention", "ATTENTION", ("attention",), "attention"),
    Entry("Logit lens", "attention", "LENS", ("attention",), "lens"),
    Entry("Words at image tokens", "attention", "WORDS", ("attention",), "words"),
    Entry("Attention maps", "attention", "MAPS", ("attention",), "maps"),
    Entry("Summary of attention", "attention", "SUMMARY", ("attention",), "summary"),
    Entry("Answers under interventions", "interventions", "EDITS", ("interventions",), "edits"),
    Entry("Effects of interventions", "interventions", "EFFECTS", ("interventions",), "effects"),
    Entry("Erasers", "interventions", "ERASERS", ("interventions",), "erasers"),
    Entry("Saliency maps", "saliency", "MAPS", ("saliency",), "maps"),
    Entry("Deletion curves", "saliency", "CURVES", ("saliency",), "curves"),
    Entry("Summary of saliency", "saliency", "SUMMARY", ("saliency",), "summary"),
    Entry("Inputs of the language model", "saliency", "INPUTS", ("saliency",), "inputs"),
    Entry("Use of the image", "saliency", "IMAGE_USE", ("image use",)),
    Entry("Speed and memory", "speed", "SPEED", ("speed",)),
    Entry("Answers of tuned models", "tuning", "TUNED", ("tuned models",), "answers"),
    Entry("Curves of tuning", "curves", "CURVE", ("tuned models",), "curve"),
    Entry("Attention of tuned models", "tuning", "TUNED_MAPS", ("attention of tuned models",)),
    Entry("Tuning", "tuning", "TUNING", ("tuning",)),
    Entry("Verdict: values", "verdict", "VALUES", ("verdict values",)),
    Entry("Verdict: classes", "verdict", "SKILLS", ("verdict classes",)),
    Entry("Verdict: differences", "verdict", "DIFFERENCES", ("verdict differences",)),
    Entry("Calibration of the verdict", "verdict", "CALIBRATION", ("calibration",)),
)  # fmt: skip


class Text(NamedTuple):
    """The parsed string below a schema: what a row is, and each column's unit and meaning."""

    rows: str
    columns: dict[str, tuple[str, str]]


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEADER, *(line for entry in TABLES for line in section(entry))])


def section(entry: Entry) -> Iterator[str]:
    """Yield the lines about one table.

    Raise a LookupError if a column has no description, or a description has no column.
    """
    module = importlib.import_module(f"eyechart.tables.{entry.module}")
    schema: pa.Schema = getattr(module, entry.schema)
    text = read_text(Path(str(module.__file__)), entry.schema)
    columns = {field.name: type_name(field.type, "<" in field.name) for field in schema}
    opened = {n: of[0] for n, of in text.columns.items() if "<" in n and n not in columns}
    columns |= opened  # columns added by a dataset; their type is in the parentheses
    described = COMMON | text.columns
    if unknown := [name for name in text.columns if name not in columns]:
        raise LookupError(f"{entry.module}.{entry.schema} describes {unknown[0]!r}, not a column")
    if missing := [name for name in columns if name not in described]:
        raise LookupError(f"{entry.module}.{entry.schema} does not describe {missing[0]!r}")
    yield f"## {entry.title}\n"
    yield ", ".join(f"`{_path(PATTERNS[kind].text, entry.table)}`" for kind in entry.kinds) + "\n"
    yield f"{text.rows}\n"
    yield "| column | type | unit | meaning |\n|---|---|---|---|"
    for name, kind in columns.items():
        unit, what = described[name]
        unit = "" if name in opened else unit
        yield f"| `{name}` | {kind} | {unit} | {what} |"
    yield ""


def read_text(path: Path, name: str) -> Text:
    """Load the string below a schema in a module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.Assign(targets=[ast.Name(id=found)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ) if found == name:
                return parse(text)
    raise LookupError(f"{path}: no text below {name}")


def parse(text: str) -> Text:
    r"""Parse the string below a schema.

    >>> parse("One row per x.\n\na, b (px): Edges\nc: What\n  it is\n").columns["b"]
    ('px', 'Edges')
    """
    rows, _, rest = text.partition("\n\n")
    columns = {}
    for line in re.sub(r"\n\s+", " ", rest).strip().splitlines():
        found = re.fullmatch(r"(?P<names>[^(:]+?)(?: \((?P<unit>[^)]*)\))?: (?P<what>.+)", line)
        if not found:
            raise LookupError(f"{line!r} is not of the form 'name (unit): meaning'")
        for name in found["names"].split(", "):
            columns[name] = (found["unit"] or "", found["what"])
    return Text(" ".join(rows.split()), columns)


def type_name(kind: pa.DataType, is_open: bool = False) -> str:
    """Return a type in words; ``d`` is the width of columns whose name is in angle brackets.

    >>> type_name(pa.list_(pa.list_(pa.float32(), 7)))
    'list of float32[7]'
    """
    if pa.types.is_fixed_size_list(kind):
        width = "d" if is_open and kind.list_size == 1 else kind.list_size
        return f"{type_name(kind.value_type)}[{width}]"
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type, is_open)}"
    return {"float": "float32", "double": "float64", "halffloat": "float16"}.get(
        str(kind), str(kind)
    )


def _path(pattern: str, table: str) -> str:
    named = pattern.replace("<results>", "results").replace("{table}", table)
    return re.sub(r"\{(\w+)\}", r"<\1>", named)


@command
def main(*, output: Path) -> None:
    """Write the page."""
    write_text(output, page())


if __name__ == "__main__":
    main()
