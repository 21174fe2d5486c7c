"""Pin all dependencies: solve requirements*.in again, and write locks and environments.

Reads requirements.in, requirements-dev.in, requirements-cluster.in, requirements-docs.in and
envs/torchvision.in; writes a lock next to each, envs/base.yaml and envs/torchvision.yaml. Local
version tags such as +cpu are dropped, because they identify a build, not a version. The
environments with older versions are pinned by hand.

    make lock
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIP = "25.3"  # in the conda environment
HEADER = "# Written by `make lock` from {}: {}.\n"
BESIDES = {
    "dev": "what `make test` needs besides",
    "cluster": "what `make cluster` adds",
    "docs": "what `make docs` needs besides",
}
BASE = """\
# Written by `make lock`: the environment of all rules under `snakemake --use-conda`, with the pins
# of requirements.lock. A rule that loads a model also uses it, unless the model's spec names
# another file in this folder. The pins are listed here in full, because Snakemake copies this file
# elsewhere before conda reads it, so a path to the lock file would not be found.
"""
TORCHVISION = """\
# Written by `make lock`: base, and additional packages for the processors of some native families:
# torchvision (Qwen-VL, InternVL, LLaVA-OneVision, SmolVLM, Pixtral, Phi-4, Molmo 2 …), timm
# (Perception LM), num2words (SmolVLM); and bitsandbytes, for weights in 8 or 4 bits. These are not
# in base, because torchvision's wheel is built for CUDA: with a CPU-only torch, it breaks every
# processor, even those that do not use it.
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
    """Install requirements into a new environment and return its exact pins, sorted."""
    venv.create(folder, with_pip=True)
    pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
    flags = [flag for name in requirements for flag in ("-r", name)]
    subprocess.run([*pip, "install", "--quiet", *flags], check=True, cwd=ROOT)
    freeze = [*pip, "freeze", "--all", "--exclude", "pip"]
    listed = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    return sorted((line.split("+")[0] for line in listed.splitlines()), key=str.lower)


def own_pins(pins: list[str], shared: list[str]) -> list[str]:
    """Return the pins of packages that are not among the shared ones."""
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
