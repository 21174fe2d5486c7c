"""The list of paths: names are inserted and parsed back, and no other module has paths."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.plan import configuration, paths, targets
from eyechart.plan.paths import PATTERNS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workflow/eyechart"
REGISTRY = PACKAGE / "plan/paths.py"
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
A_PATH = re.compile(
    r"(?<![\w.`/])(<results>|results|data/(raw|models|weights|downloads)|config/models)/"
)
READS_FOLDERS = re.compile(r"\.parent\.(name|stem|parent)\b|\.parents\[\d\]\.name")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and value of every string in a module, except docstrings."""
    tree = ast.parse(path.read_text())
    scopes = (ast.Module, ast.ClassDef, ast.FunctionDef)
    held = [n for n in ast.walk(tree) if isinstance(n, scopes) and ast.get_docstring(n, False)]
    docs = {id(node.body[0].value) for node in held if isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def modules() -> list[Path]:
    """Return the package's modules, except the list of paths itself."""
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p != REGISTRY]


def test_no_module_contains_a_path() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in modules()
        for line, text in texts(path)
        if A_PATH.search(text)
    ]
    assert found == []


def test_no_rule_contains_a_path() -> None:
    found = [
        f"{path.name}: {line.strip()}"
        for path in RULES
        for line in path.read_text().splitlines()
        if A_PATH.search(line) and not line.startswith("`snakemake --cores all`")
    ]
    assert found == []


def test_no_step_parses_a_path_by_its_folders() -> None:
    assert [p for p in modules() if READS_FOLDERS.search(p.read_text())] == []


def test_patterns_are_unique_and_described() -> None:
    assert len({pattern.text for pattern in PATTERNS.values()}) == len(PATTERNS)
    assert [name for name, pattern in PATTERNS.items() if not pattern.about] == []


@pytest.mark.parametrize("results", ["results", "else/where", "/mnt/disk.1/out"])
@pytest.mark.parametrize("name", PATTERNS)
def test_inserted_names_are_parsed_back(name: str, results: str) -> None:
    pattern = PATTERNS[name]
    names = {key: f"{key}_2.5" for key in pattern.names}
    path = pattern.at(results, **names)
    assert paths.find(path, results) == (pattern, names)
    assert pattern.match(f"/tmp/somewhere/{path}") == names, "a step can read names in any folder"
    assert Path(path).match(pattern.glob(results))


def test_a_rule_keeps_the_wildcards_that_are_not_fixed() -> None:
    assert paths.PROBES.rule(dataset="clevr") == "<results>/probing/{model}/clevr/{task}.parquet"
    assert paths.PROBES.beside(".predictions.parquet") is paths.PROBE_PREDICTIONS
    with pytest.raises(KeyError, match="has no 'span'; it has model, dataset, task"):
        paths.PROBES.rule(span="cls")
    with pytest.raises(KeyError, match="needs 'task'"):
        paths.PROBES.at(model="a", dataset="b")


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("results/behavior/scores/m/d.distributions.parquet", paths.DISTRIBUTIONS),
        ("results/behavior/scores/m/d.v2.parquet", paths.SCORES),
        ("results/readout/m/d.predictions.parquet", paths.READOUT_PREDICTIONS),
        ("results/behavior/patterns/patterns.parquet", paths.PATTERN_TABLES),
        ("results/behavior/patterns/m.html", paths.PATTERN_PAGE),
        ("results/report/figures/verdict/figures.json", paths.WHOLE_FIGURES),
    ],
)
def test_a_path_belongs_to_the_pattern_with_the_most_literal_characters(
    path: str, pattern: paths.Pattern
) -> None:
    found = paths.find(path)
    assert found is not None and found[0] is pattern
    others = [p for p in PATTERNS.values() if p is not pattern]
    assert [p for p in others if p.match(path, "results") is not None] == []


def test_folder_names_are_parsed_for_unknown_kinds_of_file() -> None:
    found = paths.find_folder("data/raw/clevr/images/val/1.png")
    assert found is not None and found[1] == {"dataset": "clevr"}
    found = paths.find_folder("results/report/figures/behavior/clevr/m/accuracy.png")
    assert found is not None and found[1]["dataset"] == "clevr"
    found = paths.find_folder("/mnt/out/extraction/m/clevr/item/lost.parquet", "/mnt/out")
    assert found is not None and found[1]["model"] == "m"
    assert paths.find_folder("-n") is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("out/report/figures/probing/clever/tiny_llava/figures.json", "did you mean 'clevr'?"),
        ("out/report/figures/readout/blink/tiny_lava/figures.json", "did you mean 'tiny_llava'?"),
        ("out/extraction/tiny_lava/clevr/item/part-0.parquet", "did you mean 'tiny_llava'?"),
        ("out/behavior/patterns/tiny_lava/patterns.parquet", "did you mean 'tiny_llava'?"),
        ("data/models/tiny_lava/ready.json", "did you mean 'tiny_llava'?"),
    ],
)
def test_every_target_is_checked_in_any_results_folder(
    target: str, expected: str, config: dict[str, Any]
) -> None:
    specs = configuration.read_specs()
    with pytest.raises(UserError, match=re.escape(f"{target}: unknown")) as found:
        targets.check(config, specs, [target], "out")
    assert expected in str(found.value)
    if target.startswith("out/"):
        targets.check(config, specs, [target])  # it is not in this run's results folder
