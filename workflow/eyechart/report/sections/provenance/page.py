"""Provenance: inputs, versions, machine, and time and memory of every rule."""

from pathlib import Path
from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.provenance.load import activations, benchmarks, machine, versions
from eyechart.tables.receipt import read_receipt


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "machine": machine(),
        "versions": versions(),
        "receipts": [read_receipt(path) for path in inputs.paths("receipts")],
        "activations": activations(inputs.paths("manifests")),
        "benchmarks": benchmarks(Path(settings["benchmarks"])),
        "inputs": inputs.describe(),
    }
