"""Dry runs of Snakemake, without the two seconds that each would need for Snakemake's imports.

A server process imports Snakemake once, and each dry run is a fork of it. A run imports the
project's own modules itself.
"""

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["snakemake.cli", "snakemake.executors.local", "pydantic"])


def plan(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder to the end; its output includes its errors."""
    return _fork(folder, _run, words)


def jobs(
    folder: Path, configfiles: Sequence[str], config: dict[str, Any], targets: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return rule, wildcards, inputs and outputs of every job for the given or default targets."""
    done = _fork(folder, _list, configfiles, config, targets)
    assert done.returncode == 0, done.stdout
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _fork(folder: Path, work: Callable[..., None], *args: Any) -> subprocess.CompletedProcess[str]:
    with tempfile.NamedTemporaryFile("r") as output:
        given = (folder, output.name, dict(os.environ), work, *args)
        process = SERVER.Process(target=_start, args=given)
        process.start()
        process.join()
        return subprocess.CompletedProcess(args, process.exitcode or 0, output.read())


def _start(
    folder: Path, output: str, environment: dict[str, str], work: Callable[..., None], *args: Any
) -> None:
    """Continue as a new process would: in this folder, with this output and environment."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with Path(output).open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    work(*args)


def _run(words: Sequence[str]) -> None:
    from snakemake.cli import main

    sys.argv = ["snakemake", *words]
    main()


def _list(configfiles: Sequence[str], config: dict[str, Any], targets: Sequence[str]) -> None:
    from snakemake import api
    from snakemake.settings import types

    settings = types.ConfigSettings(configfiles=list(map(Path, configfiles)), config=config)
    with contextlib.redirect_stdout(sys.stderr), api.SnakemakeApi(types.OutputSettings()) as own:
        workflow = own.workflow(
            resource_settings=types.ResourceSettings(cores=1),
            config_settings=settings,
            snakefile=Path("Snakefile"),
        )
        dag = workflow.dag(types.DAGSettings(targets=set(targets)))
        dag.execute_workflow(executor="dryrun")
        found = [_described(job) for job in workflow._workflow.dag.jobs]
    print("\n" + json.dumps(found))


def _described(job: Any) -> dict[str, Any]:
    inputs = {
        name: [files] if isinstance(files, str) else list(files)
        for name, files in job.input._allitems()
        if name
    }
    named = {file for files in inputs.values() for file in files}
    inputs[""] = [file for file in job.input if file not in named]
    return {
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards_dict),
        "inputs": {name: [str(file) for file in files] for name, files in inputs.items()},
        "outputs": [str(file) for file in job.output],
    }
