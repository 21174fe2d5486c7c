"""Values in the user's own table that mean something else than they seem to.

A row of JSON Lines with the same key twice is ambiguous. Names that look the same, but differ in
blanks, invisible characters or their Unicode form, would be separate classes, choices or groups.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from faults.injector import Fault
from PIL import Image

from eyechart.data import records
from eyechart.data.own import import_local
from eyechart.data.own.entries import read_entries
from eyechart.data.own.questions import question

KIND = "Own values"
ROW = {"image": "a.png", "prompt": "What?", "choices": ["x", "y"], "answer": "x", "task": "t"}
LINE = json.dumps(ROW)[:-1]
ONE, OTHER = "caf\u00e9", "cafe\u0301"  # composed and decomposed
COLUMNS = {"labels": {"drink": "drink"}}


def read(content: Any, name: str = "t.jsonl", columns: dict[str, Any] | None = None) -> list[Any]:
    """Import a table of rows, text or bytes; return the entries."""
    Path("mine").mkdir()
    Image.new("RGB", (8, 6)).save("mine/a.png")
    if isinstance(content, list) and name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(content), f"mine/{name}")
    else:
        text = content if isinstance(content, bytes | str) else "\n".join(map(json.dumps, content))
        Path("mine", name).write_bytes(text if isinstance(text, bytes) else text.encode())
    settings = {"layout": "table", "splits": ["all"], "columns": columns or {}}
    import_local.main(["--dataset", "mine", "--source", f"mine/{name}", "--settings",
                       json.dumps(settings), "--root", "raw", "--output",
                       "raw/acquired.json"])  # fmt: skip
    rows = [json.loads(line) for line in Path("raw/table.jsonl").read_text().splitlines()]
    return [row | question(row, {}) for row in rows]


def equal(field: str, *names: Any, name: str = "t.jsonl") -> Any:
    """Import rows with these names in a field; return the names read and the expected ones."""
    rows = [ROW | {"drink": "x", field: value} for value in names]
    found = read(rows, name, COLUMNS)
    held = [row["labels"]["drink"] if field == "drink" else row[field] for row in found]
    assert len(found) == len(names)
    return held, [names[0]] * len(names)


def answered(choice: str, answer: str) -> Any:
    """Import a question; return its answer and the expected one."""
    return read([ROW | {"choices": [choice, "y"], "answer": answer}])[0]["answer"], choice


def many() -> Any:
    """Import a table that, written as text, is larger than one that a user may give."""
    with mock.patch.object(records, "_MOST_BYTES", 1_000):
        read([ROW] * 20, "t.parquet")
        return len(read_entries(Path("raw"))), 20


def _refused(what: str, content: Any, says: str, name: str = "t.jsonl") -> Fault:
    return Fault(what, name, "refused", partial(read, content, name), says)


def _same(what: str, where: str, inject: Callable[[], Any]) -> Fault:
    return Fault(what, where, "accepted", inject)


NUL = ROW | {"prompt": "Wh\0at?"}
FAULTS = [
    _refused("an answer twice", f'{LINE}, "answer": "y"}}', "the key 'answer' occurs twice"),
    _refused("an image's path twice", '{"image": {"path": "a.png", "path": "b.png"}}',
             "the key 'path' occurs twice"),
    _refused("a key twice, once with an escape", f'{LINE}, "\\u0061nswer": "y"}}',
             "the key 'answer' occurs twice"),
    _refused("a NUL as an escape", [NUL], "prompt is .* NUL character"),
    _refused("a NUL", [NUL], "prompt is .* NUL character", "t.parquet"),
    _refused("a NUL byte", "image,prompt\na.png,Wh\0at?\n", "line 2: byte 0x00 is not UTF-8 text",
             "t.csv"),
    _refused("UTF-16 without a mark", "image\na.png\n".encode("utf-16-le"),
             "byte 0x00 is not UTF-8 text", "t.csv"),
    _refused("zeros in its second half", LINE.encode() + b"}\n" + bytes(5_000),
             "line 2: byte 0x00 is not UTF-8 text"),
    _refused("a choice of 1e999", LINE.replace('"y"', "1e999") + "}", "choices is inf"),
    _refused("choices that look the same", [ROW | {"choices": [ONE, OTHER]}],
             "choices are .* all different"),
    _refused("choices that differ in a blank", [ROW | {"choices": ["x", "x\u00a0"]}],
             "choices are .* all different"),
    *(_same(f"{what} that differ in {how}", name, partial(equal, field, *names, name=name))
      for field, what in (("drink", "labels"), ("group", "groups"), ("pair", "pairs"))
      for how, names in (("a blank", ("x", "x ", " x\u00a0")), ("Unicode form", (ONE, OTHER)),
                         ("the kind of a space", ("x y", "x\u00a0y", "x\u2009y")),
                         ("an invisible character", ("xy", "x\u200by", "xy\ufeff", "x\u00ady")))
      for name in ("t.jsonl", "t.parquet")),
    _same("splits that differ in a blank", "t.jsonl", partial(equal, "split", "all", "all ")),
    _same("more rows than a table of text may have", "t.parquet", many),
    _same("an answer in another Unicode form", "t.jsonl", partial(answered, ONE, OTHER)),
    _same("a choice of 1e300", "t.jsonl", partial(equal, "choices", ["1e+300", "x"], [1e300, "x"])),
]  # fmt: skip
