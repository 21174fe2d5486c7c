"""Snakemake's records of the settings, code and inputs of each output, in `.snakemake/metadata`.

Without its record, a result would count as made with the present settings. It is made again. The
option `--touch` keeps results that were copied without their records.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faults.injector import Fault
from snakemake.io import IOCache, IOFile
from snakemake.persistence import RECORD_FORMAT_VERSION
from snakemake.persistence.file import FilePersistence

from eyechart.core import fingerprint, integrity
from eyechart.core.files import write_json, write_text
from eyechart.core.ledger import LEDGER, Ledger
from eyechart.core.records import publish, read_record, record_path

KIND = "Snakemake's records"
TABLE = "results/probing/tiny_clip/clevr/color.parquet"
CARD = "results/models/tiny_clip/card.json"
LABELS = "results/mining/tiny_clip_against_tiny_dino/clevr/labels.csv"  # the user's
SHARED = "data/models/tiny_clip/config.json"  # may be another folder's
RECORD = {
    **{"rule": "r", "input": [], "params": ["'a'"], "code": "c"},
    "record_format_version": RECORD_FORMAT_VERSION,
}


class Graph:
    """The jobs of a run, with Snakemake's own storage of records."""

    def __init__(self, *outputs: str) -> None:
        self.files = [IOFile(output) for output in outputs]
        self.jobs = [SimpleNamespace(output=[file]) for file in self.files]
        stored = FilePersistence()
        self.workflow = SimpleNamespace(dryrun=False, iocache=IOCache(0), persistence=stored)
        self.forcefiles: set[str] = set()

    async def check_incomplete(self) -> None:
        """Do nothing; Snakemake's own method looks for the marks of killed jobs."""

    async def finish(self, job: object) -> None:
        """Do nothing; Snakemake's own method looks for jobs that can begin."""


def finish(*outputs: str) -> None:
    """Write outputs, their records and the ledger, as a finished run does."""
    for output in outputs:
        write_text(Path(output), output)
        write_json(record_path("metadata", output), RECORD)
    assert integrity.update("results") == []


def begin(*outputs: str) -> tuple[list[str], set[str]]:
    """Check the folder before a run; return the warnings and the outputs to make again."""
    said: list[str] = []
    kind = type("Checked", (Graph,), {})
    graph = kind(*outputs)
    integrity.make_again(integrity.update("results"), kind, said.append)
    asyncio.run(graph.check_incomplete())
    for file in graph.files:
        graph.workflow.persistence.metadata(file)  # which Snakemake reads next
    return said, graph.forcefiles


def changed(change: Callable[[Path], Any]) -> Callable[[], str]:
    """Return a function that changes one output's record and returns the warning about it."""

    def inject() -> str:
        finish(TABLE, CARD)
        assert begin(TABLE, CARD) == ([], set())
        change(record_path("metadata", TABLE))
        (sentence,), again = begin(TABLE, CARD)
        assert again == {TABLE}
        return sentence

    return inject


def all_lost() -> str:
    finish(TABLE, CARD, LABELS, SHARED)
    shutil.rmtree(".snakemake")
    (sentence,), again = begin(TABLE, CARD, LABELS, SHARED)
    assert again == {TABLE, CARD}
    return sentence


def replaced(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Return a function that puts something else in a file's place."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


def holding(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


def other(**fields: Any) -> Callable[[Path], Any]:
    return holding(json.dumps({**RECORD, **fields}).encode())


CHANGES: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "emptied": holding(b""),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a list": holding(b"[1]"),
    "null": holding(b"null"),
    "an empty object": holding(b"{}"),
    "not UTF-8": holding(b'{"rule": "\xff"}'),
    "100,000 nested objects": holding(b'{"a":' * 100_000),
    "a folder in its place": replaced(Path.mkdir),
    "a pipe in its place": replaced(os.mkfifo),
    "a device in its place": replaced(lambda path: path.symlink_to("/dev/zero")),
    "a link to itself in its place": replaced(lambda path: path.symlink_to(path.name)),
    "no settings": other(params=None),
    "settings that are a number": other(params=7),
    "a version that is a word": other(record_format_version="x"),
    "no code": other(code=None),
    "no inputs": other(input=None),
}


def of_another_folder(change: Callable[[Path], Any], kept: bool) -> Callable[[], Any]:
    """Return a function that begins with a file in ``data/`` made by another folder's run.

    It returns whether the other folder's record is used after a change to the file.
    """

    def inject() -> Any:
        finish(SHARED)
        ended = {**RECORD, "endtime": Path(SHARED).stat().st_mtime}
        write_json(record_path("metadata", SHARED), ended)
        publish([SHARED])
        shutil.rmtree(".snakemake")
        change(Path(SHARED))
        begin(SHARED)
        return (read_record(SHARED),), (ended if kept else {},)

    return inject


def with_ledger(make: Callable[[Path], Any]) -> Callable[[], Any]:
    """Return the ledger's entries after something else was in its place, and before."""

    def inject() -> Any:
        finish(TABLE, CARD)
        before = {path: entry.sha256 for path, entry in Ledger().entries.items()}
        replaced(make)(LEDGER)
        assert integrity.update("results") == []
        return {path: entry.sha256 for path, entry in Ledger().entries.items()}, before

    return inject


def with_facts(change: Callable[[Path], Any]) -> Callable[[], Any]:
    """Return a step's fingerprint, with the cached facts about the code changed, and without."""

    def inject() -> Any:
        write_json(fingerprint.KNOWN, {})
        change(fingerprint.KNOWN)
        found = []
        for _ in range(2):  # the second time, without any facts
            for cached in (fingerprint.fingerprint, fingerprint._facts, fingerprint._known):
                cached.cache_clear()
            found.append(fingerprint.fingerprint("eyechart.core.files"))
            fingerprint.KNOWN.unlink(missing_ok=True)
        return found[0], found[1]

    return inject


ODD = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}
FAULTS = [
    *(
        Fault(what, "a result's record", "noticed", changed(change), f"^eyechart: {TABLE} is made")
        for what, change in CHANGES.items()
    ),
    *(
        Fault(f"{what} in its place", "the ledger", "recovered", with_ledger(make))
        for what, make in ODD.items()
    ),
    *(
        Fault(f"{what} in its place", "the cache about code", "recovered", with_facts(replaced(m)))
        for what, m in ODD.items()
    ),
    *(
        Fault(what, "the cache about code", "recovered", with_facts(holding(content)))
        for what, content in (
            ("a list", b"[1]"),
            ("not UTF-8", b"\xff"),
            ("100,000 nested objects", b'{"a":' * 100_000),
        )
    ),
    *(
        Fault(what, "a file in data/", "accepted", of_another_folder(change, kept))
        for what, change, kept in (
            ("made by another folder's run", Path.exists, True),
            ("changed since another folder's run", lambda path: os.utime(path, (1, 1)), False),
        )
    ),
    Fault("lost", ".snakemake", "noticed", all_lost, "and 1 more are made again"),
]
