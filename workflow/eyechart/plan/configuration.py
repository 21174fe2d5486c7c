"""What is shared by all that reads the checked configuration: names, tasks, canonical slices.

Snakemake imports this at parse time, so it needs neither numpy nor torch.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.models.spec import Spec, read_spec
from eyechart.plan.registry import LAYOUTS

MODELS = Path("config/models")

Config = dict[str, Any]


def known_models() -> list[str]:
    """Give the names of all models that have a spec file."""
    return sorted(path.stem for path in MODELS.glob("*.yaml"))


def read_specs() -> dict[str, Spec]:
    """Give the specs of all models that there are, by name."""
    return {model: read_spec(MODELS / f"{model}.yaml") for model in known_models()}


def examined(config: Config) -> list[str]:
    """Give the datasets that are examined: those with tasks."""
    return [name for name, dataset in config["datasets"].items() if dataset.get("tasks")]


def scope_of(config: Config, dataset: str, task: str) -> str:
    """Give what a task is asked of: ``item`` or ``image``."""
    section = config["datasets"][dataset]
    scope = LAYOUTS[section["layout"]].scope(task, section)
    assert scope is not None, "tasks are checked with the configuration"
    return scope


def tasks_for(config: Config, specs: dict[str, Spec], model: str, dataset: str) -> list[str]:
    """Give the tasks asked of a model on a dataset: an encoder never sees a question."""
    tasks = config["datasets"][dataset]["tasks"]
    if specs[model].kind == "encoder":
        return [task for task in tasks if scope_of(config, dataset, task) == "image"]
    return list(tasks)


def prefer_own_python() -> None:
    """Let ``python`` in the shell of a job be the one that runs Snakemake.

    A job's conda environment, where one is asked for, is activated later and comes first.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def spare_scheduler(workflow: Any) -> None:
    """Take Snakemake's limit of 100 jobs a second away, where nobody set another.

    For its sake Snakemake looks for jobs to start again a second after each time it did, so that
    looks grow with the jobs: by the end of the demo they took a quarter of a core.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def logged_errors(since: float) -> list[str]:
    """Give the one-sentence errors in all logs that jobs wrote after a time in seconds."""
    logs = sorted(Path("logs").rglob("*.log"))
    texts = [p.read_text(errors="replace") for p in logs if p.stat().st_mtime >= since]
    lines = [line for text in texts for line in text.splitlines()]
    return [line for line in lines if line.startswith("eyechart: error:")]


def canonical(value: Any) -> str:
    """Give a value as JSON that is equal whenever the value is, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def one_of(names: Iterable[str]) -> str:
    """Give the pattern of a wildcard that takes these values; of no names, what matches nothing."""
    return "|".join(names) or "(?!)"


def check_known(where: object, kind: str, name: str, valid: Iterable[str]) -> None:
    """Raise a UserError that begins with a place, unless a name is among the valid ones."""
    names = list(valid)
    if name not in names:
        raise UserError(f"{where}: unknown {kind} {name!r}; {nearest(name, names)}")
