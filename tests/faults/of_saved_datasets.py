"""A Hugging Face dataset that `save_to_disk` wrote, damaged or made by a stranger.

Arrow files have no checksums: a flipped bit inside a value is not noticed, but one in a length or
an offset is.
"""

import io
import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from faults.injector import Fault, check_sentence
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.data.own import import_local
from eyechart.data.records import read_arrow

KIND = "Saved datasets"
Image.new("RGB", (8, 6)).save(_png := io.BytesIO(), "PNG")
PNG = _png.getvalue()
COLUMNS = {"image": [{"bytes": PNG, "path": None}] * 3, "prompt": ["What?"] * 3,
           "choices": [["x", "y"]] * 3, "answer": ["x"] * 3, "task": ["t"] * 3}  # fmt: skip


def stream(packed: str | None = None, times: int = 1, **columns: Any) -> bytes:
    """Return an Arrow stream of three rows per batch; a column None is left out."""
    held = {name: values for name, values in (COLUMNS | columns).items() if values is not None}
    rows, out = pa.table(held), io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=packed)
    with pa.ipc.new_stream(out, rows.schema, options=options) as writer:
        for _ in range(times):
            writer.write_table(rows)
    return out.getvalue()


def imported(write: Callable[[Path], Any], rows: int = 3) -> Any:
    """Import the dataset that ``write`` writes into a folder; return its answers, and all x."""
    Path("hf").mkdir()
    write(Path("hf"))
    settings = json.dumps({"layout": "hf", "splits": ["all"], "columns": {}})
    import_local.main(["--dataset", "mine", "--source", "hf", "--settings", settings, "--root",
                       "raw", "--output", "raw/acquired.json"])  # fmt: skip
    lines = Path("raw/table.jsonl").read_text().splitlines()
    return [json.loads(line)["answer"] for line in lines], [["x"]] * rows


def saved(folder: Path, content: bytes, names: tuple[str, ...] = ("data",), **more: Any) -> None:
    """Write a saved dataset; ``more``: columns of a second file."""
    state = {"_data_files": [{"filename": f"{name}.arrow"} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "data.arrow").write_bytes(content)
    (folder / "more.arrow").write_bytes(stream(**more))


def instead(folder: Path, make: Callable[[Path], Any]) -> None:
    """Write a saved dataset with something else in the place of its data."""
    saved(folder, b"")
    (folder / "data.arrow").unlink()
    make(folder / "data.arrow")


def shards(folder: Path, *contents: dict[str, Any]) -> None:
    """Write a dataset of Parquet shards."""
    for number, columns in enumerate(contents):
        name = f"all-{number:05d}-of-{len(contents):05d}.parquet"
        pq.write_table(pa.table(columns), folder / name)


def flipped(seed: int, count: int) -> Any:
    """Read streams with one bit flipped each; return the number that ended well, and of all."""
    draw, path, ended = random.Random(seed), Path("a.arrow"), 0
    whole = stream(times=2, prompt=["What is this?", "é", ""])
    for _ in range(count):
        spoilt, at = bytearray(whole), draw.randrange(8 * len(whole))
        spoilt[at // 8] ^= 1 << at % 8
        path.write_bytes(spoilt)
        try:
            columns, rows = read_arrow([path])
            ended += len(repr(list(rows(columns)))) < 10 * len(whole)
        except UserError as error:
            check_sentence(str(error), "a.arrow")
            ended += 1
    return ended, count


def _refused(what: str, content: bytes, says: str, **more: Any) -> Fault:
    write = partial(saved, content=content, **more)
    return Fault(what, "data.arrow", "refused", partial(imported, write), says)


def _typed(what: str, answers: pa.Array) -> Fault:
    return _refused(what, stream(answer=answers), "column 'answer' has the type")


def _instead(what: str, make: Callable[[Path], Any]) -> Fault:
    write = partial(instead, make=make)
    says = "data.arrow: is not a file"
    return Fault(f"{what} in its place", "data.arrow", "refused", partial(imported, write), says)


NULLS = pa.ListArray.from_arrays(pa.array([0, 0, 0, 1 << 30], pa.int32()), pa.nulls(1 << 30))
LESS = {name: values for name, values in COLUMNS.items() if name != "answer"}
WHOLE, DAMAGED = stream(times=3), "data.arrow: truncated or damaged"
BATCH = len(stream(times=2)) - len(stream())
FAULTS = [
    *(_refused(f"{left} of 3 batches left", WHOLE[: len(WHOLE) - (3 - left) * BATCH - 8], DAMAGED)
      for left in (0, 1, 2)),
    _refused("half of a batch left", WHOLE[: -BATCH // 2], DAMAGED),
    _refused("its end mark cut off", WHOLE[:-8], DAMAGED),
    _refused("an end mark after its second batch", stream(times=2) + WHOLE[-BATCH:], DAMAGED),
    _refused("extra data after its end", WHOLE + b"more", DAMAGED),
    *(_refused(f"compressed by {kind}", stream(kind), "is compressed") for kind in ("zstd", "lz4")),
    _refused("30 MB of zeros that are compressed", stream("zstd", answer=["0" * 10_000_000] * 3),
             "is compressed"),
    _refused("a list of 10^9 nulls", stream(choices=NULLS), "more than 100 values per byte"),
    _typed("an answer that is repeated by count", pa.RunEndEncodedArray.from_arrays(
           pa.array([3], pa.int32()), pa.array(["x"]))),
    _typed("a dictionary of answers", pa.array(["x"] * 3).dictionary_encode()),
    _typed("answers that are views", pa.array(["x"] * 3, pa.string_view())),
    _typed("answers that are maps", pa.array([[("x", 1)]] * 3, pa.map_(pa.string(), pa.int8()))),
    _refused("a second file without a column", stream(), "more.arrow: column 'answer' is missing",
             names=("data", "more"), answer=None),
    _refused("the same file twice", stream(), "lists 'data.arrow' twice", names=("data", "data")),
    _instead("a pipe", os.mkfifo),
    _instead("a folder", os.mkdir),
    _instead("a device", partial(os.symlink, "/dev/zero")),
    Fault("a second shard without a column", "Parquet shards", "refused", partial(
          imported, lambda folder: shards(folder, COLUMNS, LESS)), "column 'answer' is missing"),
    Fault("200 single bits flipped", "data.arrow", "accepted", partial(flipped, 1, 200)),
    Fault("3,000 single bits flipped", "data.arrow", "accepted", partial(flipped, 2, 3_000),
          long=True),
]  # fmt: skip
