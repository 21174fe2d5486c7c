"""A ledger, `.snakemake/eyechart-ledger.json`, stores the size, modification time and SHA-256 of
every file between stages: the outputs of all rules, the images and weights that a receipt lists,
and prepared images. Every run, and `snakemake -n`, first compares the files with the ledger. A
file is hashed if its size or time differs, or if it was written in the same second as the last
check, since a change may then leave its time unchanged. The run names a file that is lost or
damaged, or that was being replaced when a job was killed, in one sentence, moves it to
`.snakemake/eyechart-damaged/`, and makes it and everything that depends on it again. You only have
to run again. A large file that you delete to save space is made again by the next run that needs
it. Labels that you filled in (`labels.csv`) are yours and are never replaced.

`snakemake verify` reads every byte, to find changes that left size and time the same. It prints a
sentence per damaged file and ends with status 1; the next run makes these files again. Pages of
Parquet tables have checksums, which are compared on every read.

A second run of the same files in a folder is refused, and so is `snakemake verify` during a run. A
run that begins during `snakemake verify` waits. If two folders share `data/`, a run waits until
the other has made the files that it needs, and uses them. It ends with one sentence if it would
remake files that the other still reads. On a slow network disk, every file is looked up once per
check, in many threads.

`tests/workflow/test_kills.py` kills every rule while it rewrites its outputs, and flips one bit in
each of 200 files. `tests/workflow/test_kill_points.py` kills a small run at 100 random points and
checks that the next run ends with the same bytes. `tests/workflow/test_slow_disk.py` runs the small
exam on a disk with slow look-ups, timestamps of two seconds' resolution, and stale answers.
"""

import fcntl
import os
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
from faults.injector import Fault

from eyechart.core import integrity
from eyechart.core.files import MACHINE, describe, remove_partials, write_json
from eyechart.core.ledger import LISTING, Ledger
from eyechart.plan import paths
from eyechart.tables.parquet import read_table, write_table

KIND = "Files between stages"
NAMES = {
    **{"model": "tiny_llava", "dataset": "clevr", "scope": "image", "part": "000", "task": "color"},
    **{"split": "val", "shard": "000", "condition": "sighted", "table": "summary", "figure": "a"},
    **{"section": "probing", "stage": "contrastive", "look": "1"},
    **{"first": "tiny_clip", "second": "tiny_llava"},
}
OUTPUTS = [
    *(paths.SHARD, paths.RECEIPT, paths.ITEMS, paths.IMAGES, paths.REGIONS, paths.READY),
    *(paths.CARD, paths.VIEW, paths.ACTIVATIONS, paths.MANIFEST, paths.PROBES),
    *(paths.PROBE_PREDICTIONS, paths.READOUTS, paths.READOUT_PREDICTIONS, paths.CONCEPTS),
    *(paths.RESPONSES, paths.SCORES, paths.DISTRIBUTIONS, paths.RETRIEVAL, paths.ATTENTION),
    *(paths.INTERVENTIONS, paths.VERDICT, paths.CLASSES, paths.DIFFERENCES, paths.PAIRS),
    *(paths.FIGURES, paths.REPORT),
]
# These are changed in every way, the others only in the usual ways
VARIED = [*LISTING, paths.ITEMS, paths.IMAGES, paths.ACTIVATIONS]
USUAL = ("deleted", "one bit flipped, time set back")
# A file that an output lists, below the output's folder, and the field that lists it
OWNED = {
    paths.SHARD: "images/val/CLEVR_val_000000.png",
    paths.READY: "model.safetensors",
    paths.FIGURES: "layer_curves.svg",
    paths.IMAGES: "images/val_1_canvas.png",
}


def at(pattern: paths.Pattern) -> Path:
    return Path(pattern.at(**{name: NAMES[name] for name in pattern.names}))


def owned(pattern: paths.Pattern) -> Path:
    folder = at(pattern).parent
    return (folder.parent if pattern == paths.SHARD else folder) / OWNED[pattern]


def finish() -> None:
    """Write a file of each kind and the ledger, as after a finished run."""
    for pattern in OUTPUTS:
        path, field = at(pattern), "parts" if pattern == paths.MANIFEST else "files"
        path.parent.mkdir(parents=True, exist_ok=True)
        listed = {}
        if pattern in OWNED:
            listed = {OWNED[pattern]: owned(pattern)}
            owned(pattern).parent.mkdir(parents=True, exist_ok=True)
            owned(pattern).write_bytes(OWNED[pattern].encode() * 50)
        elif pattern == paths.MANIFEST:
            listed = {at(paths.ACTIVATIONS).name: at(paths.ACTIVATIONS)}
        if path.suffix == ".json":
            files = [{**describe(file), "path": name} for name, file in listed.items()]
            write_json(path, {field: files, "named": str(path)})
        else:
            path.write_bytes(str(path).encode() * 30)
    assert integrity.update("results") == []


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def flip_in_time(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return a function that puts something else in a file's place."""

    def replaced(path: Path) -> None:
        path.unlink()
        make(path)

    return replaced


CHANGES: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "one bit flipped": flip,
    "one bit flipped, time set back": flip_in_time,
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "a folder in its place": replace(Path.mkdir),
    "a dead link in its place": replace(lambda path: path.symlink_to("nowhere")),
    "a link to itself in its place": replace(lambda path: path.symlink_to(path.name)),
}
TEXTS = {
    "holds nothing": "",
    "cut off": "{",
    "holds a list": "[]",
    "holds a number": "3",
    "holds null": "null",
    "holds a number for parts": '{"parts": 7}',
    "holds a part without keys": '{"parts": [{}]}',
}


def told(path: Path, change: Callable[[Path], Any]) -> Callable[[], str]:
    """Return a function that changes a file of a finished run and returns the sentence about it."""

    def inject() -> str:
        finish()
        change(path)
        (fault,) = integrity.update("results")
        assert fault.path == str(path)
        return fault.sentence

    return inject


def of_outputs() -> list[Fault]:
    where = [(pattern, at(pattern), "it is made again") for pattern in OUTPUTS]
    where += [(p, owned(p), f"what {at(p)} lists is made again") for p in OWNED]
    return [
        Fault(what, path.as_posix(), "noticed", told(path, change), f"^{path} (is|was) .*; {says}$")
        for pattern, path, says in where
        for what, change in CHANGES.items()
        if pattern in VARIED or what in USUAL
    ]


def listing(text: str) -> Callable[[], str]:
    """Return the message on a list of files with this text, when there is no ledger yet."""

    def inject() -> str:
        finish()
        Path(".snakemake/eyechart-ledger.json").unlink()
        at(paths.MANIFEST).write_text(text)
        (fault,) = integrity.update("results")
        return fault.sentence

    return inject


def known() -> dict[str, Any]:
    """Return the ledger's entries, whether or not the files are hashed again."""
    return {p: e._replace(changed=abs(e.changed)) for p, e in Ledger().entries.items()}


def ledger(text: str) -> Callable[[], Any]:
    """Return the entries of a ledger with this text, and the expected entries."""

    def inject() -> Any:
        finish()
        expected = known()
        Path(".snakemake/eyechart-ledger.json").write_text(text)
        assert integrity.update("results") == []
        return known(), expected

    return inject


def damaged_table() -> None:
    write_table(Path("a.parquet"), pa.table({"value": [n / 7 for n in range(999)]}))
    flip(Path("a.parquet"))
    read_table(Path("a.parquet"))


def verify_beside_a_run() -> None:
    Path(".snakemake").mkdir()
    with open(integrity.LOCK, "w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        integrity.start(full=True)


def run_beside_verify() -> str:
    """Return the message of a run that waits until the files have been verified."""
    finish()
    flip(at(paths.VERDICT))
    with mock.patch("fcntl.flock", side_effect=chain([BlockingIOError], repeat(None))):
        (fault,) = integrity.start()
    return fault.sentence


def forbidden(name: str) -> Callable[[], Any]:
    """Return a function that starts in a folder with a read-only part."""

    def inject() -> Any:
        Path(name).mkdir()
        allowed = os.access
        with mock.patch("os.access", lambda p, how: Path(p).name != name and allowed(p, how)):
            return integrity.start()

    return inject


def without_temporary_files() -> None:
    with mock.patch.dict(os.environ, TMPDIR="nowhere"):
        integrity.start()


def half_written(machine: str) -> Callable[[], Any]:
    """Return which half-written files of a dead process stay, and which should stay."""

    def inject() -> Any:
        names = [f".a.parquet.partial-{machine}-{pid}" for pid in (2**22 + 1, os.getpid())]
        for name in names:
            Path(name).write_text("half")
        remove_partials(".")
        kept = names if machine != MACHINE else names[1:]
        return {p.name for p in Path().iterdir()}, set(kept)

    return inject


FAULTS = [
    *of_outputs(),
    *(
        Fault(f"{what}, no ledger", "manifest.json", "noticed", listing(text), "was damaged")
        for what, text in TEXTS.items()
    ),
    *(Fault(f"{what}", "the ledger", "whole", ledger(text)) for what, text in TEXTS.items()),
    Fault("one bit of a page flipped", "a table", "refused", damaged_table, "snakemake verify"),
    Fault("verified beside a run", "the folder", "refused", verify_beside_a_run, "another run"),
    Fault(
        "begun while it is verified", "a run", "noticed", run_beside_verify, "was damaged; it is"
    ),
    *(
        Fault("read-only", name, "refused", forbidden(name), f"^{name}: nothing can be written")
        for name in (".snakemake", "results", "logs", "benchmarks")
    ),
    Fault("does not exist", "TMPDIR", "refused", without_temporary_files, "^TMPDIR: no temporary"),
    Fault("left by a killed run", "a half-written file", "healed", half_written(MACHINE)),
    Fault("of another container", "a half-written file", "whole", half_written("0123abcd")),
]
