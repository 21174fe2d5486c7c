"""Limits of file sizes, memory and open files (`ulimit -f`, `-v`, `-n`) while a step runs. The
step ends with one sentence and leaves no file that looks complete; the next run without the limit
makes the same files as a run that never had one.

With `ulimit -v`, a step needs 1.5 GB to start, and one that draws charts needs 70 GB more: the
JavaScript engine reserves these addresses, but uses little memory.
"""

import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import torch
from faults.injector import Fault, check_sentence
from faults.of_files import finish
from mining_fixture import flags, write_activations, write_images
from nyuv2_fixture import make_nyuv2
from safetensors.torch import save_file
from test_behavior_answers import Asker

from eyechart.attention import lens
from eyechart.core import errors, integrity, memory
from eyechart.core.files import atomic, write_json
from eyechart.core.ledger import LEDGER, Ledger
from eyechart.data.layouts.nyuv2 import layout as nyuv2
from eyechart.data.open_image import check_images
from eyechart.mining import find_pairs
from eyechart.models.limits import memory_limit, processing, rendered
from eyechart.models.usable import usable
from eyechart.rendering.datasets.stroop.words import check_typefaces
from eyechart.rendering.drawing import save_array
from eyechart.report import chart_style
from eyechart.tables.parquet import read_table, write_table

KIND = "Limits"
SIZES, MEMORY, FILES = "RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_NOFILE"
SAYS = {SIZES: "limit of file sizes", MEMORY: "memory", FILES: "limit of open files"}
NOISE = np.random.default_rng(3).integers(0, 256, (300, 300, 3), dtype=np.uint8)


@contextmanager
def limited(kind: str, most: int) -> Iterator[None]:
    """Limit this process: the size of files, its additional memory, or additional open files."""
    if kind == MEMORY:
        with memory_limit(most):
            yield
        return
    number = getattr(resource, kind)
    soft, hard = resource.getrlimit(number)
    if kind == FILES:
        os.close(free := os.open("/dev/null", os.O_RDONLY))  # the first free number
        most += free
    resource.setrlimit(number, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(number, (soft, hard))


def made() -> dict[str, bytes]:
    files = sorted(path for path in Path("out").rglob("*") if path.is_file())
    return {path.as_posix(): path.read_bytes() for path in files}


def healed(step: Callable[[], Any], kind: str, most: int) -> Any:
    """Run a step with a limit that must stop it, then without; return its files and the expected
    files.

    Files left by the limited step must be complete.
    """
    step()
    expected = made()
    shutil.rmtree("out")
    try:
        with limited(kind, most):
            step()
    except (Exception, SystemExit) as error:
        check_sentence(errors.sentence(error) or repr(error), SAYS[kind])
    else:
        raise AssertionError("the limit did not stop it")
    left = made()
    assert left.items() < expected.items(), sorted(left)
    step()
    return made(), expected


@cache
def project() -> Asker:
    return Asker(Path(tempfile.mkdtemp(dir="/tmp")))


def extract() -> None:
    project().extract(Path("out"))


def answer() -> None:
    project().answer(Path("out"), conditions=["sighted", "blank"])


def table() -> None:
    write_table(Path("out/a.parquet"), pa.table({"a": np.random.default_rng(1).random(9_000)}))


def told(kind: str, most: int, work: Callable[[], Any]) -> str:
    """Return the message when work fails under a limit."""
    try:
        with limited(kind, most):
            work()
    except (MemoryError, OSError, RuntimeError, pa.ArrowException) as error:
        return errors.sentence(error) or repr(error)
    raise AssertionError("the limit did not stop it")


def read(kind: str, most: int) -> str:
    write_table(Path("a.parquet"), pa.table({"a": np.random.default_rng(1).random(12_000_000)}))
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())  # other pools reserve more
    try:
        return told(kind, most, lambda: read_table(Path("a.parquet")))
    finally:
        pa.set_memory_pool(pool)


def look_at_images(kind: str, most: int) -> str:
    """Open undamaged images; none may be left out as damaged."""
    names, faults = ["a.png", "b.png"], {}
    for name in names:  # a decoded image is larger than any memory that the process may still hold
        save_array(Path(), name, np.zeros((8_000, 8_000, 3), np.uint8))
    said = told(kind, most, lambda: check_images(Path(), names, {}, faults=faults))
    assert not faults, faults
    return said


def sweep(kind: str, most: int) -> Any:
    """Enter files in a new ledger; return its entries and the expected entries."""
    finish()
    expected = {path: entry.sha256 for path, entry in Ledger().entries.items()}
    LEDGER.unlink()
    check_sentence(told(kind, most, lambda: integrity.update("results")), SAYS[kind])
    assert not LEDGER.exists()
    assert integrity.update("results") == []
    return {path: entry.sha256 for path, entry in Ledger().entries.items()}, expected


def process(kind: str, most: int) -> str:
    """Prepare an image; a lack of memory is neither the image's fault nor the processor's."""

    def work() -> None:
        with usable("a.png", "tiny_llava"), processing("tiny_llava"):
            torch.zeros(1 << 30)

    return told(kind, most, work)


def template(kind: str, most: int) -> str:
    return told(kind, most, lambda: rendered("tiny_llava", lambda: str(bytes(1 << 30))))


def apply_head(kind: str, most: int) -> str:
    """Check a head that has no room for its scores; it may not count as unable to make them."""
    head: Any = SimpleNamespace(blocks=[0], log_probabilities=lambda last: torch.zeros(1 << 30))
    trace: Any = SimpleNamespace(hidden={0: torch.zeros(1, 4)})
    return told(kind, most, lambda: lens.fault(head, trace))


def read_depth(kind: str, most: int) -> str:
    make_nyuv2(Path())
    return told(kind, most, lambda: nyuv2.opened(Path()).__enter__())


def read_splits(kind: str, most: int) -> str:
    make_nyuv2(Path())
    return told(kind, most, lambda: nyuv2.read_splits(Path()))


def set_type(kind: str, most: int) -> str:
    Path("a.ttf").write_bytes(b"a font")
    return told(kind, most, lambda: check_typefaces(["a.ttf"], "typefaces"))


def check_temporary(kind: str, most: int) -> str:
    return told(kind, most, integrity.check_temporary)


def draw_chart(kind: str, most: int) -> None:
    memory.check_charts.cache_clear()  # its result holds for a process
    with limited(kind, most):
        chart_style.draw(Path("out/a"), chart_style.empty("A", "no items"), scale=1)


def draw() -> None:
    files = [save_array(Path("out"), f"{n}.png", NOISE[: 100 * (n + 1)]) for n in range(3)]
    write_json(Path("out/all.json"), {"files": files})


def save_weights() -> None:
    with atomic(Path("out/model.safetensors")) as partial:
        save_file({"a": torch.arange(9_000.0)}, partial)


def mine() -> None:
    """Search for pairs among 60 images with two encoders."""
    values = np.random.default_rng(5).standard_normal((60, 16)).astype(np.float32)
    ids = [f"p_{row:02d}" for row in range(60)]
    if not Path("images.parquet").exists():
        for name in ("a", "b"):
            write_activations(Path(), name, "vision.0/cls", values, ids)
        write_images(Path(), ids)
    two = [Path(name, "manifest.json") for name in ("a", "b")]
    find_pairs.main(flags(*two, Path("images.parquet"), Path("out/pairs.parquet"), {}))


def without_space() -> str:
    """Return the message when the disk has no space for the features of images."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mock.patch.object(os, "posix_fallocate", side_effect=full):
        try:
            mine()
        except OSError as error:
            assert not list(Path("out").iterdir())
            return errors.sentence(error) or repr(error)
    raise AssertionError("no space was reserved, so the process would end without a message")


def _healed(what: str, where: str, step: Callable[[], Any], kind: str, most: int) -> Fault:
    return Fault(what, where, "recovered", partial(healed, step, kind, most))


def _noticed(what: str, where: str, work: Callable[..., str], kind: str, most: int) -> Fault:
    return Fault(what, where, "noticed", partial(work, kind, most), SAYS[kind])


FAULTS = [
    _healed("files of 2,000 bytes at most", "a step that extracts", extract, SIZES, 2_000),
    _healed("files of 5,000 bytes at most", "a step that extracts", extract, SIZES, 5_000),
    _healed("no more open files", "a step that extracts", extract, FILES, 0),
    _healed("files of 2,000 bytes at most", "a step that asks", answer, SIZES, 2_000),
    Fault("a colon in it", "the path of the project", "refused",
          lambda: integrity.check_names(Path("a:b/workflow")), "cannot be in PYTHONPATH"),
    Fault("bytes that are not UTF-8", "the path of the project", "refused",
          lambda: integrity.check_names(Path(os.fsdecode(b"a\xff/workflow"))), "is not UTF-8"),
    Fault("quotes, blanks and braces", "the path of the project", "accepted",
          lambda: (str(integrity.check_names(Path("a {b} 'c' $d/\n"))), "None")),
    _healed("files of 20,000 bytes at most", "a step that writes a table", table, SIZES, 20_000),
    _healed("no more open files", "a step that writes a table", table, FILES, 0),
    _healed("files of 100,000 bytes at most", "a step that draws", draw, SIZES, 100_000),
    _healed("no more open files", "a step that draws", draw, FILES, 0),
    _healed("files of 20,000 bytes at most", "a step that trains", save_weights, SIZES, 20_000),
    _healed("files of 3,900 bytes at most", "a step that mines", mine, SIZES, 3_900),
    _healed("no more open files", "a step that mines", mine, FILES, 0),
    Fault("no space on the disk", "a step that mines", "noticed", without_space,
          "^no space left on the device"),
    _noticed("1 MB of memory", "a step that reads a table", read, MEMORY, 1 << 20),
    _noticed("no more open files", "a step that reads a table", read, FILES, 0),
    _noticed("10 MB of memory", "a step that opens images", look_at_images, MEMORY, 10 << 20),
    _noticed("no more open files", "a step that opens images", look_at_images, FILES, 0),
    Fault("60 GB of memory", "a step that draws charts", "refused",
          partial(draw_chart, MEMORY, 60 * 10**9), "^not enough memory to draw charts: the limit"),
    _noticed("files of 1,000 bytes at most", "the temporary folder", check_temporary, SIZES, 1_000),
    _noticed("no more open files", "the temporary folder", check_temporary, FILES, 0),
    _noticed("10 MB of memory", "a step that prepares images", process, MEMORY, 10 << 20),
    _noticed("10 MB of memory", "a step that renders a template", template, MEMORY, 10 << 20),
    _noticed("10 MB of memory", "a step that applies a head", apply_head, MEMORY, 10 << 20),
    _noticed("no more open files", "a step that reads depth maps", read_depth, FILES, 0),
    _noticed("no more open files", "a step that reads splits", read_splits, FILES, 0),
    _noticed("no more open files", "a step that draws words", set_type, FILES, 0),
    Fault("files of 1,000 bytes at most", "the sweep before a run", "recovered",
          partial(sweep, SIZES, 1_000)),
    Fault("no more open files", "the sweep before a run", "recovered", partial(sweep, FILES, 0)),
    Fault("one more open file", "the sweep before a run", "recovered", partial(sweep, FILES, 1)),
]  # fmt: skip
