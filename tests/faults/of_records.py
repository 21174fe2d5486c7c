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

from eyechart.core import integrity
from eyechart.core.files import write_json, write_text
from eyechart.core.records import record_path

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
    "a link to itself in its place": replaced(lambda path: path.symlink_to(path.name)),
    "no settings": other(params=None),
    "settings that are a number": other(params=7),
    "a version that is a word": other(record_format_version="x"),
    "no code": other(code=None),
    "no inputs": other(input=None),
}


FAULTS = [
    *(
        Fault(what, "a result's record", "noticed", changed(change), f"^eyechart: {TABLE} is made")
        for what, change in CHANGES.items()
    ),
    Fault("lost", ".snakemake", "noticed", all_lost, "and 1 more are made again"),
]
