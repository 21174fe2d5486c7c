"""Provenance: inputs, versions, machine, and time and memory of every rule."""

from os.path import relpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eyechart.report.files import Inputs
from eyechart.report.sections.provenance.load import (
    activations,
    benchmarks,
    configuration_text,
    machine,
    versions,
    workflow,
)
from eyechart.tables.receipt import read_receipt


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "workflow": workflow(),
        "configuration": configuration_text(settings["configuration"]),
        "machine": machine(),
        "versions": versions(),
        "receipts": [read_receipt(path) for path in inputs.paths("receipts")],
        "activations": activations(inputs.paths("manifests")),
        "benchmarks": benchmarks(Path(settings["benchmarks"])),
        "inputs": [
            file | {"link": quote(relpath(file["path"], settings["folder"]))}
            for file in inputs.describe()
        ],
    }
