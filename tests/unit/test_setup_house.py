"""Manners of the house that a linter does not know: rules, sizes, floors, what parsing imports."""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from eyechart.fingerprint import closure

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
PACKAGE = ROOT / "workflow/eyechart"
# From the roof down; a room imports only from floors below its own
FLOORS = [
    {"report"},
    {"attention", "verdict"},
    {"behavior", "concepts", "mining", "readout"},
    {"probing"},
    {"extraction"},
    {"training"},
    {"models"},
    {"datasets", "studio"},
    {"statistics"},
    {"tables"},
    {"randomness", "fingerprint", "device", "errors", "core"},
    {"plan"},
]
PARSED = ["eyechart.answering", "eyechart.checkpoints", "eyechart.configuration",
          "eyechart.pairing", "eyechart.targets", "eyechart.exam", "eyechart.fingerprint",
          "eyechart.plan.config.check", "eyechart.plan.paths",
          "eyechart.recipe", "eyechart.report_plan", "eyechart.sizing",
          "eyechart.tables.integrity"]  # fmt: skip
NEEDED = ["output", "log", "benchmark", "conda", "threads", "resources", "params", "message"]


def rules() -> dict[str, str]:
    """Give the text of every rule that has an execution of its own."""
    found = {}
    for path in RULES:
        for block in re.split(
            r"\n(?=(?:    )?rule\b|use rule |onerror|wildcard)", path.read_text()
        ):
            if match := re.match(r"(?:    )?rule(?: (\w+))?:", block):
                found[match[1] or f"each of {path.stem}"] = textwrap.dedent(block)
    return found


@pytest.mark.parametrize("name", [name for name, text in rules().items() if "shell:" in text])
def test_a_rule_has_all_directives_of_the_house(name: str) -> None:
    text = rules()[name]
    assert [key for key in NEEDED if not re.search(rf"^    {key}:", text, re.MULTILINE)] == []
    assert "code=" in text
    assert ".jsonl" in text or "REPORT.benchmark" in text
    assert "config[" not in text.split("shell:")[1]


@pytest.mark.parametrize("name", ["extract_encoder", "train_probes", "train_clip", "draw_scenes"])
def test_the_environment_counts_where_numbers_depend_on_libraries(name: str) -> None:
    assert "environment=ENVIRONMENT" in rules()[name]


def test_no_rule_runs_python_in_place_or_hides_a_function() -> None:
    for path in [ROOT / "Snakefile", *RULES]:
        assert not re.search(r"^\s+(run|script):|lambda|^checkpoint |directory\(", path.read_text(),
                             re.MULTILINE), path  # fmt: skip


def test_the_contents_page_stays_a_contents_page() -> None:
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 60
    assert "def " not in (ROOT / "Snakefile").read_text()
    assert len((ROOT / "workflow/rules/common.smk").read_text().splitlines()) <= 150


@pytest.mark.parametrize("module", PARSED)
def test_what_snakemake_imports_needs_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"numpy", "torch", "pyarrow", "transformers", "polars"} & set(done.stdout.split())


def floor(module: str) -> int:
    room = module.split(".")[1]
    return next((n for n, rooms in enumerate(FLOORS) if room in rooms), -1)


def imports(path: Path) -> set[str]:
    """Give the modules, or names in modules, that a file imports from the package."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "eyechart"
        for alias in node.names
    }


def test_a_room_imports_only_from_floors_below() -> None:
    for path in PACKAGE.glob("*/**/*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for name in imports(path):
            above = floor(module) < 0  # `plan`, which stands above all floors
            same_room = name.split(".")[1] == module.split(".")[1]
            assert above or same_room or floor(name) > floor(module), f"{module} imports {name}"


def test_no_two_classes_have_one_name() -> None:
    where: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: found for name, found in where.items() if len(found) > 1} == {}


@pytest.mark.parametrize("room", ["report"])
def test_what_reads_tables_only_imports_nothing_of_another_stage(room: str) -> None:
    below = {room, "plan", "core", "errors", "randomness", "statistics", "tables"}
    for path in (PACKAGE / room).rglob("*.py"):
        used = {name.split(".")[1] for name in imports(path)}
        assert used <= below, f"{path}: {used - below}"


def test_init_files_are_empty_as_snakemake_imports_the_package_when_it_parses() -> None:
    assert [str(p) for p in PACKAGE.rglob("__init__.py") if p.read_text().strip()] == []


@pytest.mark.parametrize("room", ["report", "mining", "probing", "readout", "concepts", "verdict"])
def test_rooms_that_read_tables_only_load_no_model(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        reached = closure(module.removesuffix(".__init__"))
        assert not [name for name in reached if name.startswith("eyechart.models")], path
