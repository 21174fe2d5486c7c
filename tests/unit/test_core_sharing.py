"""Runs that share ``data/``: which one waits, and which ends with one sentence."""

import asyncio
import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from integrity_fixture import RECEIPT, ROOT, Graph, make_folder
from stopping_steps import wait_until

from eyechart.core import integrity, sharing
from eyechart.core.errors import UserError
from eyechart.core.sharing import Share

MADE = "data/raw/clevr/acquired.json"
OTHER = """
import sys
from types import SimpleNamespace
from eyechart.core.sharing import Share
own = Share()
own.wait({"data/a", *sys.argv[1].split()}, print)
own.begin([SimpleNamespace(output=sys.argv[1].split(), input=sys.argv[2].split())])
print("begun", flush=True)
for word in sys.stdin:
    own.made({word.strip()})
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own").mkdir()
    make_folder(tmp_path / "own", monkeypatch)
    return tmp_path


Other = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def other(folder: Path) -> Iterator[Other]:
    """Return a function that begins a run in another folder, which makes and reads given files."""
    (folder / "other").mkdir()
    (folder / "other/data").symlink_to(folder / "own/data")
    begun: list[subprocess.Popen[str]] = []

    def begin(makes: str = "", reads: str = "", at: str = "other") -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        run = subprocess.Popen([sys.executable, "-c", OTHER, makes, reads], cwd=folder / at,
                               env={"PYTHONPATH": str(ROOT / "workflow")}, stdin=pipe, stdout=pipe,
                               text=True)  # fmt: skip
        begun.append(run)
        assert run.stdout and run.stdout.readline() == "begun\n"
        return run

    yield begin
    for run in begun:
        run.kill()
        run.communicate()


def job(output: str, *reads: str) -> Any:
    return SimpleNamespace(output=[output], input=reads, is_group=lambda: False)


def waits(run: "subprocess.Popen[str]") -> bool:
    found = Path("/proc/locks").read_text()
    return f"-> FLOCK  ADVISORY  READ {run.pid} " in found


def test_a_run_waits_until_another_has_made_the_files_it_needs(other: Other, folder: Path) -> None:
    first = other(makes=f"{MADE} data/models/a/ready.json")
    words = [sys.executable, "-c", OTHER, MADE, ""]
    (folder / "third").mkdir()
    (folder / "third/data").symlink_to(folder / "own/data")
    second = subprocess.Popen(words, cwd=folder / "third", stdout=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL,
                              env={"PYTHONPATH": str(ROOT / "workflow")})  # fmt: skip
    wait_until(lambda: waits(second), second)
    assert first.stdin
    for made in (MADE, "data/models/a/ready.json"):
        assert second.poll() is None
        first.stdin.write(f"{made}\n")
        first.stdin.flush()
    told, _ = second.communicate()
    where = folder / "other"
    assert told == f"eyechart: {MADE}: waiting for the run in {where}, which makes it\nbegun\n"
    assert first.poll() is None


def test_a_dead_run_is_no_longer_waited_for(other: Other) -> None:
    first = other(makes=MADE)
    said: list[str] = []

    def kill(sentence: str) -> None:
        said.append(sentence)
        first.kill()

    own = Share()
    assert own.wait({MADE}, kill)
    assert len(said) == 1
    assert not own.wait({MADE}, pytest.fail)
    assert not list(sharing.RUNS.glob("*.json"))


def test_other_files_and_other_runs_of_the_folder_are_not_waited_for(other: Other) -> None:
    other(makes=MADE)
    other(makes="data/models/a/ready.json", at="own")  # Snakemake refuses the second run
    own = Share()
    assert not own.wait({"data/raw/coco/acquired.json", "results/a.json"}, pytest.fail)
    assert not own.wait({"data/models/a/ready.json"}, pytest.fail)


def test_one_run_plans_at_a_time_and_another_says_that_it_waits() -> None:
    first, second, said = Share(), Share(), []
    first.wait({MADE}, pytest.fail)

    def begin(sentence: str) -> None:
        said.append(sentence)
        first.begin([job("results/a.json")])

    assert not second.wait({MADE}, begin)
    assert said == ["eyechart: data: waiting for another run that is about to begin"]


def test_files_that_another_run_reads_are_not_remade(other: Other, folder: Path) -> None:
    other(reads=f"{MADE} results/a.json")
    own = Share()
    own.wait({MADE}, pytest.fail)
    with pytest.raises(UserError) as raised:
        own.begin([job(MADE)])
    assert str(raised.value) == (
        f"{MADE}: the run in {folder / 'other'} reads it, and this run would make it again; run "
        "again when the other has ended"
    )
    own.wait({MADE}, pytest.fail)
    own.begin([job("results/a.json", MADE)])


def test_files_are_checked_again_after_waiting(other: Other) -> None:
    found = integrity.start()
    content = RECEIPT.read_bytes()
    RECEIPT.unlink()
    missing = integrity.update("results")
    assert len(missing) == 1 and found == []
    first, said = other(makes=MADE), []

    def make(sentence: str) -> None:
        said.append(sentence)
        RECEIPT.write_bytes(content)
        first.kill()

    graph, dag = type("Checked", (Graph,), {}), Graph(RECEIPT)
    seen = dag.workflow.iocache.exists_local
    seen["data"] = False
    seen.has_inventory.add("data")
    integrity.make_again(missing, graph, make)
    asyncio.run(graph.check_incomplete(dag))
    assert len(said) == 1 and not dag.forcefiles
    assert not seen and not seen.has_inventory


def test_files_are_released_as_soon_as_all_are_made(other: Other) -> None:
    graph = type("Watched", (Graph,), {})
    own = integrity.make_again([], graph, pytest.fail)
    own.wait({MADE}, pytest.fail)
    jobs = [job(MADE), job("data/models/a/ready.json"), job("results/a.json")]
    own.begin(jobs)
    for one, left in zip(jobs, [True, False, False], strict=True):
        asyncio.run(graph.finish(Graph(), one))
        assert (own.making >= 0) == left


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EACCES])
def test_data_that_cannot_be_locked_is_still_used(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int, kind: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    own = Share()
    assert not own.wait({MADE}, pytest.fail)
    own.begin([job(MADE)])
