"""The pins are exact, complete and consistent everywhere."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ADDED = ["requirements-dev.lock", "requirements-cluster.lock", "requirements-docs.lock"]
LOCKS = ["requirements.lock", *ADDED]
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*")
# Run as programs, or required by a library that the package imports
NOT_IMPORTED = {"accelerate"}


def pins(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if not line.startswith(("#", "-r "))]


def wanted(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {re.split("==", line)[0].lower() for line in lines if not line.startswith(("#", "-"))}


def imported(*folders: str) -> set[str]:
    """Return the distributions that the code in some folders imports, in lower case."""
    names = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split(".")[0])
    known = packages_distributions()
    return {
        known[name][0].lower() for name in names - set(sys.stdlib_module_names) if name in known
    }


def test_every_line_of_a_lock_is_an_exact_pin_without_a_build_tag() -> None:
    for name in LOCKS:
        assert pins(name)
        assert [line for line in pins(name) if not PIN.fullmatch(line)] == []


def test_the_locks_agree_on_the_version_of_every_package() -> None:
    everything = {pin for lock in LOCKS for pin in pins(lock)}
    names = [pin.split("==")[0].lower() for pin in everything]
    assert len(names) == len(set(names))
    assert not set(pins("requirements.lock")) & {pin for lock in ADDED for pin in pins(lock)}
    for lock in LOCKS:
        assert len(pins(lock)) == len(set(pins(lock)))


def test_results_do_not_depend_on_executors() -> None:
    asked = wanted("requirements-cluster.in")
    assert asked == {"snakemake-executor-plugin-slurm", "snakemake-executor-plugin-cluster-generic"}
    assert asked <= {pin.split("==")[0] for pin in pins("requirements-cluster.lock")}
    assert not asked & {pin.split("==")[0] for pin in pins("requirements.lock")}


def test_the_conda_environment_holds_the_same_pins_as_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "envs/base.yaml").read_text())
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert isinstance(pip, list)  # a plain string would silently install nothing
    assert pip == pins("requirements.lock")
    assert re.fullmatch(r"python=3\.11\.\d+", conda[0])
    assert re.fullmatch(r"pip=\d+\.\d+(\.\d+)?", conda[1])
    assert environment["channels"] == ["conda-forge"]


def test_the_requirements_are_exactly_the_packages_imports() -> None:
    assert wanted("requirements.in") - NOT_IMPORTED == imported("workflow/eyechart")


def test_imports_of_tests_and_benchmarks_are_locked() -> None:
    locked = {p.split("==")[0].lower() for n in ("", "-dev") for p in pins(f"requirements{n}.lock")}
    assert imported("tests", "bench", "envs") <= locked


def test_torch_and_transformers_are_the_versions_that_families_were_measured_on() -> None:
    assert {"torch==2.13.0", "transformers==5.23.0"} <= set(pins("requirements.lock"))
    assert not any(pin.startswith("torchvision") for pin in pins("requirements.lock"))
