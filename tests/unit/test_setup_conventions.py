"""Conventions that a linter does not check: rules, file sizes, layers, imports at parse time."""

import ast
import re
import subprocess
import sys
import textwrap
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from eyechart.core.fingerprint import closure

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
PACKAGE = ROOT / "workflow/eyechart"
# From the bottom up; a folder imports only from folders earlier in this list
FOLDERS = [
    "core",
    "tables",
    "statistics",
    "data",
    "rendering",
    "models",
    "inference",
    "extraction",
    "probing",
    "readout",
    "behavior",
    "concepts",
    "attention",
    "mining",
    "interventions",
    "saliency",
    "speed",
    "verdict",
    "training",
    "tuning",
    "tiny_models",
    "report",
]
STAGES = FOLDERS[FOLDERS.index("extraction") : FOLDERS.index("training")]
READERS = ["report", "mining", "probing", "readout", "concepts", "verdict"]
# `plan` is not in this order, since Snakemake imports it at parse time. It may import modules that
# need no heavy library. Other folders may import only the paths of files from `plan`.
OF_PLAN = {"paths"}
PARSED = [
    "eyechart.plan.behavior",
    "eyechart.plan.checkpoints",
    "eyechart.plan.configuration",
    "eyechart.plan.mining",
    "eyechart.plan.targets",
    "eyechart.plan.workflow",
    "eyechart.core.fingerprint",
    "eyechart.plan.config.check",
    "eyechart.plan.paths",
    "eyechart.plan.training",
    "eyechart.plan.report",
    "eyechart.plan.resources",
    "eyechart.core.integrity",
]
COSTLY = [
    "extraction.extract_activations",
    "probing.train_probes",
    "behavior.answer_items",
    "attention.trace_items",
    "interventions.intervene",
    "saliency.attribute",
    "tuning.tune",
    "models.derive_model",
    "readout.read_out",
    "readout.depth.train_depth_heads",
]
NEEDED = ["output", "log", "benchmark", "conda", "threads", "resources", "params", "message"]


def rules() -> dict[str, str]:
    """Return the text of every rule that runs something itself."""
    found = {}
    for path in RULES:
        for block in re.split(
            r"\n(?=(?:    )?rule\b|use rule |onerror|wildcard)", path.read_text()
        ):
            if match := re.match(r"(?:    )?rule(?: (\w+))?:", block):
                found[match[1] or f"each of {path.stem}"] = textwrap.dedent(block)
    return found


@pytest.mark.parametrize(
    "name", [name for name, text in rules().items() if {"output:", "shell:"} <= set(text.split())]
)
def test_a_rule_has_all_required_directives(name: str) -> None:
    text = rules()[name]
    assert [key for key in NEEDED if not re.search(rf"^    {key}:", text, re.MULTILINE)] == []
    assert "code=" in text
    assert ".jsonl" in text or "REPORT.benchmark" in text
    assert "config[" not in text.split("shell:")[1]
    for key in ("mem_mb", "runtime"):  # both increase with every retry
        asked = rf"^ +{key}=(RESOURCES\.\w+|resources\.fixed\(\d+\)),$"
        assert re.search(asked, text, re.MULTILINE), key


@pytest.mark.parametrize("name", ["extract_encoder", "train_probes", "train_clip", "draw_scenes"])
def test_the_environment_is_a_param_if_numbers_depend_on_libraries(name: str) -> None:
    assert "environment=ENVIRONMENT" in rules()[name]


@pytest.mark.parametrize("name", ["download", "pull_model"])
def test_rules_that_need_the_network_are_local(name: str) -> None:
    assert "    localrule: True\n" in rules()[name]


def test_rules_that_load_a_model_on_a_gpu_request_one() -> None:
    assert "gpu=RESOURCES.gpus" in rules()["extract_encoder"]


def profile(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
    return found


def test_one_machine_loads_one_gpu_model_at_a_time_and_a_cluster_several() -> None:
    assert profile("default")["resources"] == {"gpu": 1}
    assert profile("default")["set-resource-scopes"] == {"gpu": "local"}


@pytest.mark.parametrize("name", ["slurm", "generic"])
def test_a_clusters_profile_sets_nothing_that_the_default_profile_would_override(name: str) -> None:
    assert not set(profile(name)) & set(profile("default"))
    assert not {"config", "configfile", "configfiles"} & set(profile(name))
    assert profile(name)["retries"] >= 1


@pytest.mark.parametrize("name", ["slurm", "generic"])
def test_groups_in_a_profile_are_groups_of_rules(name: str) -> None:
    used = {found for text in rules().values() for found in re.findall(r'group:\n +"(\w+)"', text)}
    assert set(profile(name)["group-components"]) <= used


def test_the_partitions_are_marked_for_editing() -> None:
    text = (ROOT / "profiles/slurm/partitions.yaml").read_text()
    partitions = yaml.safe_load(text)["partitions"]
    assert list(partitions) == ["EDIT_ME_CPU", "EDIT_ME_GPU"]
    assert ["max_gpu" in limits for limits in partitions.values()] == [False, True]


def test_no_rule_runs_python_in_place_or_hides_a_function() -> None:
    for path in [ROOT / "Snakefile", *RULES]:
        assert not re.search(r"^\s+(run|script):|lambda|^checkpoint |directory\(", path.read_text(),
                             re.MULTILINE), path  # fmt: skip


def test_the_contents_page_stays_a_contents_page() -> None:
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 60
    assert "def " not in (ROOT / "Snakefile").read_text()
    assert len((ROOT / "workflow/rules/common.smk").read_text().splitlines()) <= 150


def test_no_file_has_more_than_300_lines() -> None:
    files = [
        *PACKAGE.rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "bench").glob("*.py"),
    ]
    assert [str(path) for path in files if len(path.read_text().splitlines()) > 300] == []


def test_class_names_are_unique() -> None:
    every = (node for path in PACKAGE.rglob("*.py") for node in nodes(path))
    counts = Counter(node.name for node in every if isinstance(node, ast.ClassDef))
    assert [name for name, count in counts.items() if count > 1] == []


def test_modules_that_snakemake_imports_need_no_heavy_library() -> None:
    code = f"""
import importlib, sys
for module in {PARSED}:
    importlib.import_module(module)
    if found := {{"numpy", "torch", "pyarrow", "transformers", "polars"}} & set(sys.modules):
        sys.exit(f"{{module}} imports {{found}}")
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(PARSED) <= set(done.stdout.split())


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Return the nodes of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> set[str]:
    """Return the modules, or names in modules, that a file imports from the package."""
    return {
        f"{node.module}.{alias.name}"
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "eyechart"
        for alias in node.names
    }


def may_import(module: str, name: str) -> bool:
    """Return whether a module may import a name, given both folders."""
    folder, other = module.split(".")[1], name.split(".")[1]
    if module.endswith(".section"):  # a layout's facts for the plan
        return other in {"core", "data", "plan"}
    if folder in {other, "plan"}:
        return True
    if other == "plan":
        return name.split(".")[2] in OF_PLAN
    if ".section." in f"{name}." and folder == "data":
        return False
    if folder in STAGES and other in STAGES:
        return False
    return FOLDERS.index(other) < FOLDERS.index(folder)


def test_a_folder_imports_only_from_folders_above_it() -> None:
    for path in PACKAGE.glob("*/**/*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for name in imports(path):
            assert may_import(module, name), f"{module} imports {name}"


@pytest.mark.parametrize("step", COSTLY)
def test_a_step_of_hours_does_not_depend_on_the_plan(step: str) -> None:
    """Otherwise, a new pattern in plan/paths.py or a new config key would rerun it."""
    assert [name for name in closure(f"eyechart.{step}") if name.startswith("eyechart.plan.")] == []


def test_every_folder_is_in_the_order() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= {"plan", *FOLDERS}


def test_there_are_no_circular_imports() -> None:
    graph: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        graph[module] = {n.rpartition(".")[0] for n in imports(path)} | imports(path)
    graph = {module: found & set(graph) - {module} for module, found in graph.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_init_files_do_not_import_anything_that_slows_planning() -> None:
    """The package's own file only prepares a step's imports."""
    filled = [path for path in PACKAGE.rglob("__init__.py") if path.read_text().strip()]
    assert filled == [PACKAGE / "__init__.py"]
    used = {"collection", "errors", "memory"}
    assert imports(filled[0]) <= {"sys", "eyechart.core", *(f"eyechart.core.{n}" for n in used)}


@pytest.mark.parametrize("folder", READERS)
def test_folders_that_read_tables_only_load_no_model(folder: str) -> None:
    for path in (PACKAGE / folder).rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        reached = closure(module.removesuffix(".__init__"))
        assert not [name for name in reached if name.startswith("eyechart.models")], path
