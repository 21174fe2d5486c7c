"""A working folder after a run, with the files that the next run's check reads."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.io import IOCache

from eyechart.core import integrity, ledger
from eyechart.core.files import describe, write_json
from eyechart.core.records import record_path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("results/extraction/clip/clevr/image")
MANIFEST = FOLDER / "manifest.json"
PART = FOLDER / "part-001.parquet"
RAW = Path("data/raw/clevr")
SHARD = RAW / "shards/val-000.json"
WHOLE_IMAGE = RAW / "images/val/1.png"
RECEIPT = RAW / "acquired.json"
TABLES = Path("results/datasets/clevr")
PREPARED = TABLES / "images/1.png"
LABELS = Path("results/mining/a_against_b/clevr/labels.csv")
OUTPUTS = [MANIFEST, PART, SHARD, RECEIPT, TABLES / "items.parquet", TABLES / "images.parquet"]


def make_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter a folder as after a run, with two parts, a drawn shard and a prepared shard."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(integrity, "_own", integrity._Lock())
    monkeypatch.setattr(ledger, "FINE", 0)  # no test may depend on the age of a file
    Path(".snakemake").mkdir()
    for path in (PART, PART.with_name("part-000.parquet"), LABELS, PREPARED, *OUTPUTS[4:]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode() * 100)
    parts = [PART.with_name("part-000.parquet"), PART]
    write_json(MANIFEST, {"parts": [{**describe(p), "path": p.name} for p in parts]})
    WHOLE_IMAGE.parent.mkdir(parents=True)
    images = [WHOLE_IMAGE.with_name(f"{n}.png") for n in range(3)]
    for n, path in enumerate(images):
        path.write_bytes(bytes([n]) * 100)
    files = [{**describe(p), "path": str(p.relative_to(RAW))} for p in images]
    write_json(SHARD, {"files": files, "scenes": []})
    write_json(RECEIPT, {"files": files})
    assert integrity.update("results") == []


def damage(path: Path, keep_time: bool = False) -> None:
    """Change a byte without changing the size."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class Graph:
    """The jobs of a run, with the attributes that the check reads from Snakemake."""

    def __init__(self, *outputs: Path, dryrun: bool = False) -> None:
        self.jobs = [SimpleNamespace(output=[str(path)]) for path in outputs]
        for path in outputs:
            write_json(record_path("metadata", str(path)), {"rule": "r"})
        valid = SimpleNamespace(params=[], code="", input=[])
        records = SimpleNamespace(metadata=lambda output: valid)
        self.workflow = SimpleNamespace(dryrun=dryrun, iocache=IOCache(0), persistence=records)
        self.forcefiles: set[str] = set()

    async def check_incomplete(self) -> None:
        """Do nothing; Snakemake's own method looks for the marks of killed jobs."""

    async def finish(self, job: object) -> None:
        """Do nothing; Snakemake's own method looks for jobs that can begin."""

    def repair(self, found: list[ledger.Fault] | None = None) -> list[str]:
        """Run the check as if Snakemake had built the jobs; return the warnings."""
        said: list[str] = []
        graph = type("Checked", (Graph,), {})
        found = integrity.update("results") if found is None else found
        integrity.make_again(found, graph, said.append)
        asyncio.run(graph.check_incomplete(self))
        return said


START = "from eyechart.core import integrity; print(len(integrity.start()))"


def start() -> int:
    """Start as Snakemake does, in a separate process; return the number of faults."""
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
