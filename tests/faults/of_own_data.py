"""The user's own table or Hugging Face dataset, which came from a stranger.

It is read as data: an image's path must stay in the folder, a dataset's script is never run, and
values that make no sense are refused with the file and the row.
"""

import json
import os
import struct
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from faults.injector import Fault
from PIL import Image

from eyechart.data.own import import_local

KIND = "Own data"
ROW = {"image": "a.png", "prompt": "What?", "choices": ["x", "y"], "answer": "x"}
HEADER = "image,prompt,choices,answer\n"
ROW_OF = {"t.csv": b"image\na.png\n", "t.jsonl": b'{"image": "a.png"}\n'}
IMAGE, REGION = {"image": "image"}, {"image": "image", "region": "region"}


def taken(name: str, write: Callable[[Path], Any], columns: dict[str, str] = IMAGE) -> Any:
    """Import a table or a folder; return its images, and the expected one."""
    Path("mine").mkdir()
    Image.new("RGB", (8, 6)).save("mine/a.png")
    write(Path("mine", name))
    settings = {"layout": "table" if "." in name else "hf", "splits": ["all"], "columns": columns}
    import_local.main(["--dataset", "mine", "--source", f"mine/{name}", "--settings",
                       json.dumps(settings), "--root", "raw", "--output",
                       "raw/acquired.json"])  # fmt: skip
    assert not Path("pwned").exists()
    rows = [json.loads(line) for line in Path("raw/table.jsonl").read_text().splitlines()]
    return [row["images"] for row in rows], [["a.png"]]


def text(content: str | bytes) -> Callable[[Path], Any]:
    """Return a function that writes a text."""
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else
                                         content.encode())  # fmt: skip


def table(**columns: Any) -> Callable[[Path], Any]:
    """Return a function that writes a Parquet file of one row with these columns."""

    def write(path: Path) -> None:
        pq.write_table(pa.table({"image": ["a.png"], **columns}), path, compression="zstd")

    return write


def linked(target: str) -> Callable[[Path], Any]:
    """Return a function that writes a table whose image is a link."""

    def write(path: Path) -> None:
        path.with_name("b.png").symlink_to(target)
        path.write_text("image\nb.png\n")

    return write


def saved(content: Any, name: str = "state.json") -> Callable[[Path], Any]:
    """Return a function that writes a saved dataset whose description has this content."""

    def write(folder: Path) -> None:
        (folder / "all").mkdir(parents=True)
        rows = pa.table({"image": ["../a.png"]})
        for path in (folder / "data.arrow", folder / "all/data.arrow"):
            with pa.ipc.new_stream(str(path), rows.schema) as stream:
                stream.write_table(rows)
        (folder / "mine.py").write_text("open('pwned', 'w')")
        (folder / name).write_text(json.dumps(content))

    return write


def sparse(path: Path) -> None:
    path.write_text("image\n")
    os.truncate(path, 1 << 40)


def invalid() -> pa.Array:
    """Return a column of text that is not UTF-8, which pyarrow does not check."""
    buffers = [None, pa.py_buffer(struct.pack("<2i", 0, 2)), pa.py_buffer(b"\xff\xfe")]
    return pa.Array.from_buffers(pa.string(), 1, buffers)


def _refused(what: str, name: str, write: Callable[[Path], Any], says: str, **more: Any) -> Fault:
    where = {
        "t.csv": "a CSV",
        "t.jsonl": "JSON Lines",
        "t.parquet": "Parquet",
        "hf": "a saved dataset",
    }
    return Fault(what, where[name], "refused", partial(taken, name, write, **more), says)


def _csv(what: str, content: str | bytes, says: str, **more: Any) -> Fault:
    return _refused(what, "t.csv", text(content), says, **more)


def _row(what: str, row: dict[str, Any], says: str, **more: Any) -> Fault:
    return _refused(what, "t.jsonl", text(json.dumps(ROW | row) + "\n"), says, **more)


LONG = "n" * 100_000
PLACES = {"above": "../a.png", "elsewhere": "/etc/passwd", "of an address": "http://127.0.0.1/a.png",
          "with 5,000 letters": "a" * 5_000, "with an escape sequence": "\x1b[2J.png"}  # fmt: skip
FAULTS = [
    *(_csv(f"an image {what}", f"image\n{place}\n", "line 2: image .*(not|missing) in mine")
      for what, place in PLACES.items()),
    _refused("an image that is a device", "t.csv", linked("/dev/zero"), "is missing"),
    _refused("an image that is a link to itself", "t.csv", linked("b.png"), "is missing"),
    _csv("100,000 images in one cell", "image\n" + "|".join("b" * 100_000) + "\n", "missing"),
    _csv("UTF-16", HEADER.encode("utf-16"), "not UTF-8"),
    _csv("Latin-1 after UTF-8", "image,prompt\na.png,é\n".encode() + b"a.png,\xe9\n",
         "line 3: .*not UTF-8"),
    _csv("10,000 columns", "image" + ",c" * 10_000 + "\n", "columns, expected at most"),
    _csv("a duplicate column with 100,000 letters", f"image,{LONG},{LONG}\n", "occurs twice"),
    _csv("no image, and names of 100,000 letters", f"imag,{LONG}\n,x\n", "columns.image"),
    _csv("another split, with 100,000 letters", f"image,split\na.png,{LONG}\n", "no split"),
    _csv("an unclosed quote", HEADER + 'a.png,"what\n', "not CSV"),
    _csv("choices that are calls", HEADER + "a.png,?,\"[open('pwned', 'w'), 'a']\",x\n",
         "not a list"),
    _csv("choices of 9^9^9", HEADER + "a.png,?,[9**9**9],x\n", "not a list"),
    *(_csv(f"a region of {what}", f'image,region\na.png,"{cell}"\n', "line 2: region is",
           columns=REGION)
      for what, cell in (("nan", "nan,1"), ("infinity", "1e400,1"), ("5,000 digits", "9" * 5_000),
                         ("five numbers", "1,2,3,4,5"))),
    _refused("1 TB of NUL bytes", "t.csv", sparse, "expected at most 256 MiB"),
    _refused("1 TB of NUL bytes", "t.jsonl", sparse, "expected at most 256 MiB"),
    *(_refused("50 million empty lines", name, text(ROW_OF[name] + b"\n" * 50_000_000),
               "lines, expected at most") for name in ROW_OF),
    _refused("a link to itself", "t.csv", lambda path: path.symlink_to(path.name), "no such file"),
    _refused("a pipe", "t.csv", os.mkfifo, "no such file"),
    _row("a prompt that is an object", {"prompt": {"a": 1}}, "prompt is a dict"),
    _row("an image that is a number", {"image": 5}, "the image is of type int"),
    _row("an image with a NUL", {"image": "a\0.png"}, "image .* is missing in mine"),
    _row("a choice that is a list", {"choices": [[1], "x"]}, "choices is a list"),
    _row("a region of 10^400", {"region": [10**400, 1]}, "region is", columns=REGION),
    _row("a region that is a number", {"region": 1.5}, "region is", columns=REGION),
    *(_refused(f"{what}", "t.parquet", table(prompt=held),
               "(cannot be read|prompt is a|not a complete)")
      for what, held in (
          ("a prompt after the year 9999", pa.array([2**62], pa.timestamp("us"))),
          ("a prompt that is a date", [date(2020, 1, 1)]),
          ("a prompt of 10^11 years", pa.array([2**62], pa.duration("s"))),
          ("a prompt of nanoseconds", pa.array([2**62 + 1], pa.timestamp("ns"))),
          ("a prompt of 5 nanoseconds after midnight", pa.array([5], pa.time64("ns"))),
          ("a prompt that lasts nanoseconds", pa.array([2**62 + 1], pa.duration("ns"))),
          ("a prompt in an unknown time zone", pa.array([0], pa.timestamp("us", "Evil/Zone"))),
          ("a prompt of 76 digits", pa.array([10**75], pa.decimal256(76, 0))),
          ("a prompt that is a structure", [{"a": 1}]),
          ("a prompt that is not UTF-8", invalid()),
      )),
    _refused("10,000 columns", "t.parquet", table(**{f"c{n}": [1] for n in range(10_000)}),
             "columns, expected at most"),
    _refused("a cell of 40 MB that compresses well", "t.parquet", table(prompt=["w" * 40_000_000]),
             "unpacks to more than 100 times its size"),
    _refused("a column twice", "t.parquet", lambda path: pq.write_table(pa.table(
             [["a.png"], ["b.png"]], names=["image", "image"]), path), "'image' occurs twice"),
    _refused("encrypted", "t.parquet", text(b"PAR1" + bytes(99) + b"PARE"), "not a complete"),
    *(_refused(f"{what} as its state", "hf", saved(held), "_data_files is .*expected names")
      for what, held in (
          ("a list", []), ("null", None), ("an empty object", {}),
          ("no list of files", {"_data_files": 5}), ("files without names", {"_data_files": [{}]}),
          ("a file elsewhere", {"_data_files": [{"filename": "/etc/passwd"}]}),
          ("a file above", {"_data_files": [{"filename": "../a.png"}]}),
      )),
    _refused("a list as its split", "hf", saved({"_data_files": [{"filename": "data.arrow"}],
             "_split": [1]}), "_split is .*expected a name"),
    *(_refused(f"{what} as its splits", "hf", saved({"splits": held}, "dataset_dict.json"),
               "splits is .*expected names")
      for what, held in (("null", None), ("a text", "all"), ("numbers", [1]),
                         ("a folder above", ["../all"]))),
    _refused("an image outside, and a script", "hf", saved({"_data_files": [{"filename":
             "data.arrow"}]}), "is not in mine/hf"),
    Fault("a byte order mark", "a CSV", "accepted", partial(taken, "t.csv", text(
          b"\xef\xbb\xbfimage\na.png\n"))),
]  # fmt: skip
