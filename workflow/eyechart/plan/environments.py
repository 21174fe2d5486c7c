"""The software environment of each model, and its Python.

With ``--use-conda``, a job's environment is created from envs/<env>.yaml. Otherwise, a model in
``base`` runs in Snakemake's environment, and any other model in ``.venvs/<env>``, which ``make
env`` builds from the same pins.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from eyechart.core import errors
from eyechart.core.errors import UserError, nearest
from eyechart.core.files import sha256
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.configuration import canonical

PROJECT = Path(__file__).resolve().parents[3]
FOLDER = PROJECT / "envs"
LOCK = PROJECT / "requirements.lock"
BUILT = PROJECT / ".venvs"
STAMP = "installed"  # file in a built environment with the hash of its pins
BASE = "base"


@dataclass(frozen=True)
class Environments:
    """The specs of all models, and the source of this run's software."""

    specs: dict[str, Spec]
    conda: bool
    threads: int

    def name(self, wildcards: Any) -> str:
        """Return the name of a model's environment."""
        return self.specs[wildcards.model].env

    def file(self, wildcards: Any) -> str:
        """Return the file of a model's environment."""
        return conda_file(self.name(wildcards))

    def state(self, wildcards: Any) -> str:
        """Return the pins and the threads of a job, on which results depend, as canonical JSON."""
        env = self.name(wildcards)
        if env == BASE:
            return base_state(self.threads)
        return canonical({"lock": pins_hash(env), "threads": self.threads})

    def python(self, wildcards: Any, input: Any) -> str:
        """Return the environment's Python or, if it is not built, a command that reports this.

        Because of the argument ``input``, Snakemake does not rerun a job when this value changes:
        the software does not depend on where it is installed.
        """
        env = self.name(wildcards)
        if self.conda or env == BASE:
            return "python"
        return str(python_of(env)) if is_built(env) else f"python -m {__name__} {env}"

    def unbuilt_warnings(self, models: Iterable[str]) -> list[str]:
        """Return one sentence per environment that models need and that is not built."""
        needed: dict[str, list[str]] = {}
        for model in models:
            needed.setdefault(self.specs[model].env, []).append(model)
        missing = [env for env in needed if env != BASE and not is_built(env)]
        found = [f"{how_to_build(env)} (for {', '.join(needed[env])})" for env in missing]
        return [] if self.conda else found

    def check(self) -> None:
        """Raise a UserError for a spec with an environment that has no file."""
        for model, spec in self.specs.items():
            if spec.env not in names():
                raise UserError(
                    f"{paths.SPEC.at(model=model)}: env is {spec.env!r}; "
                    f"{nearest(spec.env, names())}"
                )


def base_state(threads: int) -> str:
    """Return the pins and threads on which results in ``base`` depend, as canonical JSON."""
    return canonical({"lock": _lock_hash(), "threads": threads})


@cache  # called once per job
def _lock_hash() -> str:
    return sha256(LOCK)[:16]


def names() -> list[str]:
    """Return the names of all environments."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def pins(env: str) -> dict[str, Any]:
    """Load the pins of an environment: versions of python and pip, and a list of packages."""
    path = FOLDER / f"{env}.yaml"
    return _pins(path, path.stat().st_mtime_ns)


@cache  # called once per job
def _pins(path: Path, changed: int) -> dict[str, Any]:
    listed = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    conda = dict(entry.split("=") for entry in listed if isinstance(entry, str))
    (packages,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    return {**conda, "packages": packages}


def pins_hash(env: str) -> str:
    """Return 16 hex digits that change if and only if the pins change; comments do not count."""
    return hashlib.sha256(canonical(pins(env)).encode()).hexdigest()[:16]


def conda_file(env: str) -> str:
    """Return the file of an environment for a rule, relative to the folder of the rules.

    If the project's path contains braces, the result is absolute with doubled braces, because
    Snakemake formats it.
    """
    path = str(FOLDER / f"{env}.yaml")
    doubled = path.replace("{", "{{").replace("}", "}}")
    return f"../../envs/{env}.yaml" if doubled == path else doubled


def python_of(env: str) -> Path:
    """Return the Python of an environment that ``make env`` built."""
    return BUILT / env / "bin" / "python"


def is_built(env: str) -> bool:
    """Return whether ``make env`` built an environment from the current pins in its file."""
    stamp = BUILT / env / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8").strip() == pins_hash(env)


def how_to_build(env: str) -> str:
    """Return the message about an environment that is not built or was built from other pins."""
    was = "was built from other pins" if (BUILT / env / STAMP).exists() else "is not built"
    return f"the environment {env} {was}; run `make env ENV={env}`, or snakemake with --use-conda"


def main(argv: list[str]) -> None:
    """Raise the UserError about a missing environment; this runs instead of a job's step."""
    raise UserError(how_to_build(argv[0]))


if __name__ == "__main__":
    errors.run(main)
