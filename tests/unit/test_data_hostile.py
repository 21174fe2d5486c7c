"""Untrusted JSON and tables raise a one-sentence error, whatever their content and reader."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.data.layouts.base import read_lists
from eyechart.data.own import entries
from eyechart.data.records import read_csv, read_jsonl, read_parquet

TEXTS = {
    "lists without an end": "[" * 100_000,
    "objects without an end": '{"a":' * 100_000,
    "5,000 digits": '{"a": [' + "9" * 5000 + "]}",
    "half of a surrogate pair": r'{"a": ["\ud800"]}',
    "the other half": r'{"a": ["\uDFFF"]}',
    "nothing": "",
    "a NUL": "\0",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def metadata(text: str) -> list[Any]:
    """Read a table from the hub with the given metadata."""
    schema = pa.schema([("a", pa.int64())], metadata={b"huggingface": text.encode()})
    pq.write_table(pa.table({"a": [0, 1]}, schema=schema), "a.parquet")
    _, rows = read_parquet([Path("a.parquet")])
    return [row.values["a"] for row in rows(["a"])]


READERS: dict[str, Callable[[str], Any]] = {
    "a file": lambda text: read_json(written(text)),
    "annotations": lambda text: read_lists(written(text), ("a",), lambda found: found, "needed"),
    "lines": lambda text: read_jsonl(written(text + "\n")),
    "metadata": metadata,
}


def written(text: str) -> Path:
    Path("a.json").write_text(text)
    return Path("a.json")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", TEXTS)
def test_hostile_json_is_a_short_one_sentence_error(reader: str, text: str) -> None:
    with pytest.raises(UserError, match=r"^a\.(json|parquet): ") as raised:
        READERS[reader](TEXTS[text])
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 200


@pytest.mark.parametrize("text", [text for text in TEXTS if text != "nothing"])
def test_a_cell_with_hostile_json_is_a_short_one_sentence_error(text: str) -> None:
    with pytest.raises(UserError, match=r"a.csv: line 2 is '.*', which is not a list") as raised:
        entries._split(f"[{TEXTS[text]}]", True, "a.csv: line 2")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 200


def test_complete_surrogate_pairs_are_accepted() -> None:
    assert read_json(written(r'["\ud83d\ude00"]')) == ["\U0001f600"]


@pytest.mark.parametrize(
    "text",
    ["[]", '{"info": []}', '{"info": {"features": []}}', '{"info": {"features": {"a": 3}}}',
     '{"info": {"features": {"a": {"_type": "ClassLabel", "names": 3}}}}'],
)  # fmt: skip
def test_metadata_of_another_form_are_ignored(text: str) -> None:
    assert metadata(text) == [0, 1]


@pytest.mark.parametrize(("rows", "characters"), [(5_000_000, 10), (100_000, 1_000_000)])
def test_a_table_of_few_bytes_that_unpacks_to_many_is_refused(rows: int, characters: int) -> None:
    same = pa.DictionaryArray.from_arrays(
        pa.nulls(rows, pa.int8()).fill_null(0), ["x" * characters]
    )
    pq.write_table(pa.table({"a": same}), "a.parquet")
    assert Path("a.parquet").stat().st_size < 100_000
    _, read = read_parquet([Path("a.parquet")])
    with pytest.raises(UserError, match=r"^a.parquet: unpacks to more than 100 times its size"):
        for _ in read(["a"]):
            pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (",".join(f"c{n}" for n in range(200_000)), "200000 columns, expected at most 1000"),
        (",".join([*(f"c{n:050}" for n in range(900)), "a", "a"]), "column 'a' occurs twice"),
        ("a" * 100_000 + "," + "a" * 100_000, "column 'aaa.* occurs twice"),
        (",".join(f"c{n:050}" for n in range(900)) + "\n1", "1 cells, expected 900"),
    ],
)
def test_a_header_without_an_end_is_a_short_one_sentence_error(text: str, told: str) -> None:
    Path("a.csv").write_text(text + "\n")
    with pytest.raises(UserError, match=told) as raised:
        read_csv(Path("a.csv"))
    assert len(str(raised.value)) < 500
