"""docs/tables.md matches the schemas and describes every table and column."""

import importlib
import pkgutil
from pathlib import Path

import pyarrow as pa
import pytest

import eyechart.tables
from eyechart.tables import write_docs
from eyechart.tables.result_lookup import PATTERNS
from eyechart.tables.write_docs import TABLES, Entry, parse, read_text, section, type_name

DOCS = Path(__file__).resolve().parents[2] / "docs/tables.md"


def test_the_page_equals_the_commands_output(tmp_path):
    write_docs.main(["--output", str(tmp_path / "tables.md")])
    assert (tmp_path / "tables.md").read_text() == DOCS.read_text(), (
        "run 'python -m eyechart.tables.write_docs --output docs/tables.md'"
    )


def test_every_schema_and_every_path_of_a_table_is_on_the_page():
    there = {
        (info.name, name)
        for info in pkgutil.iter_modules(eyechart.tables.__path__)
        for name, value in vars(importlib.import_module(f"eyechart.tables.{info.name}")).items()
        if isinstance(value, pa.Schema)
    }
    told = {(entry.module, entry.schema) for entry in TABLES}
    own = {(module, name) for module, name in there if name in source(module)}
    assert told == own
    paths = {kind for kind, pattern in PATTERNS.items() if pattern.text.endswith(".parquet")}
    assert {kind for entry in TABLES for kind in entry.kinds} == paths
    assert len({entry.title for entry in TABLES}) == len(TABLES)


def source(module: str) -> set[str]:
    """Return the names that a module assigns, not those that it imports."""
    text = Path(str(importlib.import_module(f"eyechart.tables.{module}").__file__)).read_text()
    return {line.split(" = ")[0] for line in text.splitlines() if " = " in line}


def test_a_text_has_rows_and_columns_with_units():
    text = parse("One row per x,\nby y.\n\na, b (px): Edges;\n  of a point\nc: What: it is\n")
    assert text.rows == "One row per x, by y."
    assert text.columns["a"] == text.columns["b"] == ("px", "Edges; of a point")
    assert text.columns["c"] == ("", "What: it is")
    with pytest.raises(LookupError, match="'nonsense' is not of the form"):
        parse("One row.\n\nnonsense")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.columns.pop("order"), "does not describe 'order'"),
        (lambda text: text.columns.update(ordre=("", "What")), "describes 'ordre', not a column"),
    ],
)
def test_a_column_without_text_and_a_text_without_column_are_refused(monkeypatch, spoil, said):
    def spoiled(path, name):
        text = read_text(path, name)
        spoil(text)
        return text

    monkeypatch.setattr(write_docs, "read_text", spoiled)
    with pytest.raises(LookupError, match=said):
        list(section(Entry("Responses", "responses", "ANSWERS", ("responses",))))


def test_types_are_described_in_words():
    assert type_name(pa.list_(pa.list_(pa.float16(), 1)), is_open=True) == "list of float16[d]"
    assert type_name(pa.list_(pa.float32(), 7)) == "float32[7]" and type_name(pa.bool_()) == "bool"
