"""Snakemake's records of how outputs were made: their settings, code and inputs.

Snakemake compares them with the present ones, and takes an output without a record as made with
the present settings.
"""

import os
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from eyechart.core.errors import lacks
from eyechart.core.files import read_own
from eyechart.plan import paths


def record_path(kind: str, output: str) -> Path:
    """Return the path of Snakemake's record of an output, named as in its persistence module."""
    key = urlsafe_b64encode(output.encode()).decode()
    *folders, name = [key[i : i + 254] for i in range(0, len(key), 254)]
    return Path(".snakemake", kind, *(f"@{folder}" for folder in folders), name)


def read_record(output: str) -> dict[str, Any]:
    """Return the record of an output; it is empty if it is missing or damaged."""
    return read_own(record_path("metadata", output))


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
