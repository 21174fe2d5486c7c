"""Pin what the workflow runs on: solve requirements*.in anew, write locks and environments.

Reads requirements.in, requirements-dev.in, requirements-cluster.in, requirements-docs.in and
envs/torchvision.in; writes a lock beside each, envs/base.yaml and envs/torchvision.yaml. Local
version tags such as +cpu are dropped: they name a build, not a version. The environments of old
versions are pinned by hand.

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
BESIDES = {
    "dev": "what `make test` needs besides",
    "cluster": "what `make cluster` adds",
    "docs": "what `make docs` needs besides",
}
BASE = """\
# Written by `make lock`: the environment of every rule under `snakemake --use-conda`, the same pins
# as requirements.lock; of a rule that loads a model, unless the model's spec names another one, a
# file beside this. Pins stand here in full, as Snakemake copies this file elsewhere before conda
# reads it: a path to the lock file would lead nowhere.
"""
TORCHVISION = """\
# Written by `make lock`: base, and what the processors of some native families need besides:
# torchvision (Qwen-VL, InternVL, LLaVA-OneVision, SmolVLM, Pixtral, Phi-4, Molmo 2 …), timm
# (Perception LM), num2words (SmolVLM); and bitsandbytes, for weights in 8 or 4 bits. Not in base,
# because torchvision's wheel is built for CUDA: beside a torch for the CPU alone it breaks every
# processor, its own users' or not.
"""
BODY = """\
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


def own_pins(pins: list[str], shared: list[str]) -> list[str]:
    """Give the pins of packages that are not among the shared ones."""
    names = {pin.split("==")[0] for pin in shared}
    return [pin for pin in pins if pin.split("==")[0] not in names]


def write_environment(name: str, head: str, pins: list[str]) -> None:
    """Write one conda environment."""
    python = ".".join(map(str, sys.version_info[:3]))
    listed = "\n".join(f"      - {pin}" for pin in sorted(pins, key=str.lower))
    body = BODY.format(python=python, pip=PIP, pins=listed)
    (ROOT / f"envs/{name}.yaml").write_text(head + body, encoding="utf-8")


def main() -> None:
    """Write all files."""
    with tempfile.TemporaryDirectory() as folder:
        pins = solve(f"{folder}/runtime", "requirements.in")
        text = "\n".join(pins) + "\n"
        lock = HEADER.format("requirements.in", "all that the workflow needs, exactly") + text
        (ROOT / "requirements.lock").write_text(lock, encoding="utf-8")
        for name, purpose in BESIDES.items():
            own = own_pins(solve(f"{folder}/{name}", f"requirements-{name}.in"), pins)
            head = HEADER.format(f"requirements-{name}.in", purpose) + "-r requirements.lock\n"
            text = head + "\n".join(own) + "\n"
            (ROOT / f"requirements-{name}.lock").write_text(text, encoding="utf-8")
        pictures = own_pins(solve(f"{folder}/torchvision", "envs/torchvision.in"), pins)
    write_environment("base", BASE, pins)
    write_environment("torchvision", TORCHVISION, pins + pictures)


if __name__ == "__main__":
    main()
