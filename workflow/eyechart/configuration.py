"""The configuration, checked before anything else: the first mistake becomes one sentence.

Snakemake imports this at parse time, so it needs neither numpy nor torch.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from eyechart import dataset_section
from eyechart.catalogue import LAYOUTS
from eyechart.errors import UserError, nearest
from eyechart.models.spec import Spec, read_spec

SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml"
MODELS = Path("config/models")

Config = dict[str, Any]


def check(config: Config, files: Sequence[str | Path]) -> None:
    """Check a merged configuration.

    Parameters
    ----------
    config : dict
        What Snakemake merged from all config files and ``--config``.
    files : sequence of paths
        The config files in the order in which they were merged; an error names the last of them
        that holds the key.

    Raises
    ------
    UserError
        For the first thing that is wrong: file, key, value found, what was expected.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    # a misspelt key is the likeliest cause of all else (its right spelling is then missing)
    rank = ["additionalProperties", "enum", "required"]
    found = sorted(errors, key=lambda e: [*rank, e.validator].index(e.validator))
    if found:
        raise UserError(_sentence(found[0], files))
    known = known_models()
    of_models = ("models", "checkpoints", "revisions", "remote_code")
    for path in (*([key] for key in of_models), ["loading", "models"]):
        named: Any = config
        for key in path:
            named = named[key]
        where = f"{_file_of(path, files, named)}: {'.'.join(path)}"
        for model in named:
            check_known(where, "model", model, known)
    for name, dataset in config["datasets"].items():
        path = ["datasets", name]
        fault = dataset_section.fault(dataset)
        if fault is not None:
            key, sentence = fault
            at = [*path, key]
            where = f"{_file_of(at, files, dataset.get(key))}: {'.'.join(at)}"
            raise UserError(f"{where}{sentence}")
    _check_rising(config, files)


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


def check_keys(config: Config, dataset: str, keys: Iterable[str], asker: str) -> None:
    """Raise a UserError for the first key that a dataset lacks and that whoever names it needs."""
    for key in keys:
        if key not in config["datasets"][dataset]:
            raise UserError(f"datasets.{dataset}: the key {key!r} is missing, and {asker} names it")


def _check_rising(config: Config, files: Sequence[str | Path]) -> None:
    """Check what a schema cannot say: ranges and lists that must rise."""
    own = [["datasets", name] for name, d in config["datasets"].items() if "studio" in d]
    lists = [[*path, "studio", "objects"] for path in ([], *own)]
    probes = config["probing"]["probes"]
    lists += [["probing", "probes", name, "epochs"] for name in probes if "epochs" in probes[name]]
    for path in lists:
        value: Any = config
        for key in path:
            value = value.get(key, []) if isinstance(value, dict) else value
        if value != sorted(value) or (path[-1] == "epochs" and len(set(value)) < len(value)):
            where = f"{_file_of(path, files, value)}: {'.'.join(path)}"
            raise UserError(f"{where} is {value}, expected rising numbers")


def _sentence(error: Any, files: Sequence[str | Path]) -> str:
    path, schema, value = list(error.absolute_path), error.schema, error.instance
    if error.validator == "additionalProperties":
        valid = schema.get("properties", {})
        key = next(key for key in value if key not in valid)
        at = ".".join(map(str, [*path, key]))
        return f"{_file_of([*path, key], files)}: unknown key {at!r}; {nearest(key, valid)}"
    at = ".".join(map(str, path)) or "the configuration"
    if error.validator == "required":
        key = next(key for key in schema["required"] if key not in value)
        return f"{_file_of(path, files)}: {at}: the key {key!r} is missing"
    where = f"{_file_of(path, files, value)}: {at}"
    if error.validator == "enum":
        return f"{where} is {value!r}; {nearest(value, schema['enum'])}"
    expected = {
        "type": f"a value of type {schema.get('type')}",
        "pattern": f"the form {schema.get('pattern')}",
        "minimum": f"at least {schema.get('minimum')}",
        "maximum": f"at most {schema.get('maximum')}",
        "exclusiveMinimum": f"more than {schema.get('exclusiveMinimum')}",
        "exclusiveMaximum": f"less than {schema.get('exclusiveMaximum')}",
        "minItems": f"at least {schema.get('minItems')} entries",
        "uniqueItems": "every entry once",
    }.get(error.validator)
    return f"{where} is {value!r}, expected {expected}" if expected else f"{where}: {error.message}"


def _file_of(path: Sequence[str | int], files: Sequence[str | Path], value: Any = None) -> str:
    """Give the last config file that holds a key, and this value if told, or ``--config``."""
    for file in reversed(files):
        held = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        for key in path:
            try:
                held = held[key]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if value is None or held == value:
                return str(file)
    return "--config"
