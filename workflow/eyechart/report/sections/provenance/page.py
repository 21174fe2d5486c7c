"""Provenance: inputs, versions, machine, and time and memory of every rule."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from os.path import relpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.core.fingerprint import PACKAGE
from eyechart.core.version import VERSION
from eyechart.report.files import Inputs
from eyechart.tables.receipt import read_receipt

ROOT = PACKAGE.parents[1]

PACKAGES = (
    "altair",
    "jinja2",
    "numpy",
    "pillow",
    "polars",
    "pyarrow",
    "scipy",
    "vl-convert-python",
)


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the template data."""
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


def benchmarks(folder: Path) -> list[dict[str, Any]]:
    """Return time and memory per rule from Snakemake's benchmark files ``<folder>/<rule>/….jsonl``.

    Result: rows with ``rule, jobs, seconds`` (all jobs), ``longest`` (s), ``peak`` (MB of resident
    memory, or None if every job was too short to be sampled), sorted by decreasing ``seconds``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(Path(folder).rglob("*.jsonl")):
        rule = path.relative_to(folder).parts[0].removesuffix(".jsonl")
        found.setdefault(rule, []).extend(_lines(path))
    rows = []
    for rule, jobs in found.items():
        peaks = [j["max_rss"] for j in jobs if isinstance(j["max_rss"], int | float)]
        seconds = [float(j["s"]) for j in jobs]
        row = {"rule": rule, "jobs": len(jobs), "seconds": sum(seconds), "longest": max(seconds)}
        rows.append(row | {"peak": max(peaks) if peaks else None})
    return sorted(rows, key=lambda r: (-r["seconds"], r["rule"]))


def machine() -> dict[str, str]:
    """Return the processor, cores, memory and system on which the page was built."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def workflow() -> dict[str, str]:
    """Return the version and commit of the workflow that built the page.

    A commit ends in ``with changes`` if files differ from it, and is ``unknown`` if the workflow is
    not a git checkout.
    """
    commit = _git("rev-parse", "HEAD") or "unknown"
    changed = " with changes" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return {"eyechart": VERSION, "commit": commit + changed}


def _git(*words: str) -> str:
    own = {
        "GIT_CEILING_DIRECTORIES": str(ROOT.parent)
    }  # an enclosing checkout is a different repository
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=ROOT,
            env=os.environ | own,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def configuration_text(config: dict[str, Any]) -> str:
    """Return the configuration, defaults included, as YAML."""
    text: str = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
    return text


def versions() -> dict[str, str]:
    """Return the versions of the packages that read the tables and drew the page."""
    return {name: version(name) for name in PACKAGES}


def activations(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the model, dataset, scope, rows, columns, bytes and notes of each activation manifest.

    ``notes`` are the scalar values of its provenance, such as versions, device and hashes.
    """
    found = []
    for path in paths:
        manifest = read_json(path)
        named = ("model", "dataset", "scope", "rows")
        size = sum(part["bytes"] for part in manifest["parts"])
        row = {name: manifest[name] for name in named}
        found.append(
            row
            | {
                "columns": len(manifest["columns"]),
                "bytes": size,
                "notes": flat(manifest["provenance"]),
            }
        )
    return found


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Return the scalar values of nested JSON under dotted names.

    >>> flat({"versions": {"torch": "2"}, "seed": 0})
    {'versions.torch': '2', 'seed': '0'}
    """
    if isinstance(value, dict):
        parts = (flat(v, f"{name}.{k}" if name else k) for k, v in value.items())
        return {k: v for part in parts for k, v in part.items()}
    return {name: value if isinstance(value, str) else json.dumps(value)}


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        jobs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        if all({"s", "max_rss"} <= set(job) for job in jobs):
            return jobs
    except json.JSONDecodeError:
        pass
    raise UserError(f"{path}: not Snakemake benchmark lines, expected JSON with 's' and 'max_rss'")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
