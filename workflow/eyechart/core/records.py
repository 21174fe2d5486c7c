"""Snakemake's records of how outputs were made: their settings, code and inputs.

Snakemake compares them with the present ones, and takes an output without a record as made with
the present settings.
"""

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from eyechart.core.errors import lacks
from eyechart.core.files import read_own, write_json
from eyechart.plan import paths

SHARED = Path("data/.eyechart-records")


def record_path(kind: str, output: str) -> Path:
    """Return the path of Snakemake's record of an output, named as in its persistence module."""
    key = urlsafe_b64encode(output.encode()).decode()
    *folders, name = [key[i : i + 254] for i in range(0, len(key), 254)]
    return Path(".snakemake", kind, *(f"@{folder}" for folder in folders), name)


def read_record(output: str) -> dict[str, Any]:
    """Return the record of an output; it is empty if it is missing or damaged."""
    return read_own(record_path("metadata", output))


def publish(outputs: Iterable[str]) -> None:
    """Copy the records of files in ``data/`` there, for other folders that share it."""
    with suppress(OSError):  # no permission to write
        for output in outputs:
            if record := read_record(output):
                write_json(_shared(output), record)


def adopt(outputs: Iterable[str]) -> None:
    """Copy the published records of files in ``data/`` for which this folder has none.

    A record is about another version of a file if its time differs.
    """
    for output in outputs:
        if Path(output).is_file() and not read_record(output):
            record = read_own(_shared(output)) if _shared(output).is_file() else {}
            if record.get("endtime") == Path(output).stat().st_mtime:
                write_json(record_path("metadata", output), record)


def _shared(output: str) -> Path:
    return SHARED / record_path("metadata", output).relative_to(".snakemake/metadata")


def unrecorded(dag: Any, results: str) -> list[str]:
    """Return the existing outputs of a run's jobs in ``results`` that have no valid record.

    An invalid record is removed, since Snakemake may fail to read it. Files in ``data/`` are not
    returned, since runs of other folders may have made them, nor is ``labels.csv``, which the user
    fills in.
    """
    stored = dag.workflow.persistence
    outputs = [file for job in dag.jobs for file in job.output if os.path.lexists(file)]
    bad = sorted({str(file) for file in outputs if not _is_recorded(file, stored)})
    return [o for o in bad if o.startswith(f"{results}/") and not paths.LABELS.match(o)]


def _is_recorded(output: Any, stored: Any) -> bool:
    """Return whether Snakemake's storage has a valid record of an output; remove an invalid one."""
    if read_record(str(output)):
        try:
            found = stored.metadata(output)
            if None not in (found, found.params, found.code, found.input):
                return True
        except Exception as error:  # of any kind, from the libraries that check it
            if lacks(error):
                raise
    record_path("metadata", str(output)).unlink(missing_ok=True)
    return False
