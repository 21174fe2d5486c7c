"""Pin what the workflow runs on: solve requirements*.in anew, write locks and envs/base.yaml.

Reads requirements.in, requirements-dev.in and requirements-cluster.in; writes requirements.lock,
requirements-dev.lock, requirements-cluster.lock and envs/base.yaml. Local version tags such as +cpu
are dropped: they name a build, not a version.

    make lock
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIP = "25.3"  # of the conda environment
HEADER = "# Written by `make lock` from {}: {}.\n"
BESIDES = {"dev": "what `make test` needs besides", "cluster": "what `make cluster` adds"}
BASE = """\
# Written by `make lock`: the environment of every rule under `snakemake --use-conda`, the same pins
# as requirements.lock. One list for all rules, as nothing conflicts yet; a model that needs other
# versions gets a file of its own beside this one. Pins stand here in full, as Snakemake copies this
# file elsewhere before conda reads it: a path to the lock file would lead nowhere.
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip={pip}
  - pip:
{pins}
"""


def solve(folder: str, *requirements: str) -> list[str]:
    """Install into a new environment and give its exact pins, sorted."""
    venv.create(folder, with_pip=True)
    pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
    flags = [flag for name in requirements for flag in ("-r", name)]
    subprocess.run([*pip, "install", "--quiet", *flags], check=True, cwd=ROOT)
    freeze = [*pip, "freeze", "--all", "--exclude", "pip"]
    listed = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    return sorted((line.split("+")[0] for line in listed.splitlines()), key=str.lower)


def main() -> None:
    """Write all four files."""
    with tempfile.TemporaryDirectory() as folder:
        pins = solve(f"{folder}/runtime", "requirements.in")
        text = "\n".join(pins) + "\n"
        lock = HEADER.format("requirements.in", "all that the workflow needs, exactly") + text
        (ROOT / "requirements.lock").write_text(lock, encoding="utf-8")
        shared = {pin.split("==")[0] for pin in pins}
        for name, purpose in BESIDES.items():
            found = solve(f"{folder}/{name}", f"requirements-{name}.in")
            own = [pin for pin in found if pin.split("==")[0] not in shared]
            head = HEADER.format(f"requirements-{name}.in", purpose) + "-r requirements.lock\n"
            text = head + "\n".join(own) + "\n"
            (ROOT / f"requirements-{name}.lock").write_text(text, encoding="utf-8")
    python = ".".join(map(str, sys.version_info[:3]))
    listed = "\n".join(f"      - {pin}" for pin in pins)
    base = BASE.format(python=python, pip=PIP, pins=listed)
    (ROOT / "envs/base.yaml").write_text(base, encoding="utf-8")


if __name__ == "__main__":
    main()
