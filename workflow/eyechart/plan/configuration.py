"""Shared helpers for the validated configuration: names, tasks, canonical slices.

Snakemake imports this module at parse time, so it must not import numpy or torch.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from eyechart.core.address import CENTER, REFERENT
from eyechart.core.errors import UserError, logged, nearest, shown
from eyechart.models.spec import TWO_TOWERS, Spec, holds_text_tower, read_spec
from eyechart.plan import paths
from eyechart.plan.registry import layout_of

MODELS = Path("config/models")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
SHIPPED = (Path("data/weights"), Path("data/drawn"), Path(paths.VERSIONS.text))
GROWING = (Path(paths.VERSION_LOCK.text), Path(paths.MODEL_LOCK.text))

Config = dict[str, Any]


def known_models() -> list[str]:
    """Return the names of all models that have a spec file; hidden files are left out.

    Raise a UserError for a file with an invalid name, since names become parts of commands.
    """
    names = sorted(path.stem for path in MODELS.glob("[!.]*.yaml"))
    for name in names:
        if not NAME.fullmatch(name):
            raise UserError(
                f"{shown(f'{MODELS}/{name}.yaml')}: expected a name of letters, digits, _, . and -"
            )
    return names


def link_shipped(project: Path) -> None:
    """Make the shipped files available in the working folder, if it is a different folder.

    Model files and weights, rendered images and the list of downloads are linked. Lists of hashes,
    which grow, are copied. Existing files stay, so the user's own files take precedence.
    """
    if Path.cwd() == project.resolve():
        return
    models = [path.relative_to(project) for path in (project / MODELS).glob("*.yaml")]
    for name in [*models, *SHIPPED]:
        name.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            name.symlink_to(project.resolve() / name)
    for name in GROWING:
        if (project / name).exists() and not name.exists():
            name.write_bytes((project / name).read_bytes())


def read_specs(folders: Mapping[str, str] | None = None) -> dict[str, Spec]:
    """Load the specs of all models, by name.

    An encoder with a checkpoint folder that only has an image tower has no text tower, regardless
    of its spec file. ``folders`` is the configuration's ``checkpoints``.
    """
    specs = {model: read_spec(MODELS / f"{model}.yaml") for model in known_models()}
    for model, spec in specs.items():
        folder = (folders or {}).get(model) or ("" if spec.from_hub else spec.checkpoint)
        if spec.family in TWO_TOWERS and folder and not holds_text_tower(Path(folder)):
            specs[model] = replace(spec, text_tower=False)
    return specs


def probed_datasets(config: Config) -> list[str]:
    """Return the probed datasets: those with tasks."""
    return [name for name, dataset in config["datasets"].items() if dataset.get("tasks")]


def check_test_shares(config: Config) -> None:
    """Raise a UserError for a probed dataset with a split that leaves nothing to train on."""
    for dataset in probed_datasets(config):
        share = config["datasets"][dataset]["test_share"]
        if share == 1 and config["probing"]["split"] == "group":
            raise UserError(
                f"datasets.{dataset}.test_share is 1, expected less if tasks are probed, since "
                "nothing is left to train on"
            )


def scope_of(config: Config, dataset: str, task: str) -> str:
    """Return the scope of a task: ``item`` or ``image``."""
    scope = layout_of(config, dataset).scope(task, config["datasets"][dataset])
    assert scope is not None, "tasks are checked with the configuration"
    return scope


def examines(config: Config, model: str, dataset: str) -> bool:
    """Return whether a model is examined on a dataset; see the key ``models`` of datasets."""
    return model in config["datasets"][dataset].get("models", [model])


def vlm_runs(
    config: Config,
    specs: dict[str, Spec],
    datasets: Iterable[str],
    chosen: Collection[str] | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield every (model, dataset) of all models with a language model, or of the chosen models."""
    vlms = [model for model in config["models"] if specs[model].kind == "vlm"]
    models = [m for m in vlms if chosen is None or m in chosen]
    return ((m, d) for d in datasets for m in models if examines(config, m, d))


def tasks_for(config: Config, specs: dict[str, Spec], model: str, dataset: str) -> list[str]:
    """Return the tasks probed in a model on a dataset.

    An encoder has image tasks, and the item tasks that can be answered from the referent's tokens.
    """
    tasks = list(config["datasets"][dataset]["tasks"])
    if not examines(config, model, dataset):
        return []
    if specs[model].kind == "vlm":
        return tasks
    at = (config, dataset)
    return [task for task in tasks if scope_of(*at, task) == "image" or by_region(*at, task)]


def by_region(config: Config, dataset: str, task: str) -> bool:
    """Return whether an item task is probed at the region of each item that contains its answer."""
    asked = {REFERENT, CENTER} & set(config["extraction"]["spans"])
    return bool(asked) and layout_of(config, dataset).by_region(task, config["datasets"][dataset])


def put_own_python_first() -> None:
    """Make ``python`` in job shells the Python that runs Snakemake.

    The conda environment of a job, if any, is activated later and takes precedence.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def logged_errors(folder: str, since: float) -> list[str]:
    """Return the one-sentence errors in all logs written since a time, in seconds."""
    logs = sorted(Path(folder).rglob("*.log"))
    texts = [p.read_text(errors="replace") for p in logs if p.stat().st_mtime >= since]
    return [sentence for text in texts for sentence in logged(text)]


def as_is(text: str) -> Callable[[Any], str]:
    """Return a param with this text, in which Snakemake does not expand wildcards."""

    def param(wildcards: Any) -> str:
        return text

    return param


def output_flag(flag: str, name: str) -> Callable[[Any, Any], str]:
    """Return a param with the flag for an output; it is empty in rules without that output."""

    def param(wildcards: Any, output: Any) -> str:
        path = output.get(name)
        return f"{flag} {shlex.quote(path)}" if path else ""

    return param


def of_run(name: str | None) -> dict[str, str]:
    """Return the folders of a run, by Snakemake's names for them."""
    own = f"{paths.RUNS}/{name}/" if name else ""
    folders = ("results", "logs", "benchmarks")
    found = {folder: f"{own}{folder}" for folder in folders}
    return found | {"raw": paths.raw_of(found["results"])}


def canonical(value: Any) -> str:
    """Return JSON that is equal for equal values, regardless of key order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def one_of(names: Iterable[str]) -> str:
    """Return the wildcard pattern matching these values; without values, it matches nothing."""
    return "|".join(names) or "(?!)"


def check_known(where: str, kind: str, name: str, valid: Iterable[str]) -> None:
    """Raise a UserError that begins with ``where``, unless a name is among the valid ones."""
    names = list(valid)
    if name not in names:
        raise UserError(f"{where}: unknown {kind} {name!r}; {nearest(name, names)}")
