"""The code hash of a step changes with the logic of all its imports, and with nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyechart.core import fingerprint

MODULE = '''"""A step."""

from eyechart.tools import helper


def main(x):
    """Give twice x."""
    return helper.double(x)  # as asked
'''
HELPER = '''"""A helper."""


def double(x):
    return 2 * x
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a small package, which ``hash_of`` hashes instead of the real one."""
    root = tmp_path / "eyechart"
    (root / "tools").mkdir(parents=True)
    for name in ("__init__.py", "tools/__init__.py"):
        (root / name).write_text("")
    (root / "step.py").write_text(MODULE)
    (root / "tools/helper.py").write_text(HELPER)
    (root / "unrelated.py").write_text("VALUE = 1\n")
    monkeypatch.setattr(fingerprint, "PACKAGE", root)
    monkeypatch.setattr(fingerprint, "KNOWN", tmp_path / "known.json")
    return root


def hash_of(module: str = "eyechart.step") -> str:
    for cached in ("fingerprint", "_facts", "_known"):
        getattr(fingerprint, cached).cache_clear()
    return fingerprint.fingerprint(module)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("step.py", "# as asked", "# as wished"),
        ("step.py", '"""Give twice x."""', '"""Give x two times."""'),
        ("step.py", '"""A step."""', '"""One step."""'),
        ("step.py", '    """Give twice x."""\n', ""),
        ("step.py", "helper.double(x)", "helper.double( x )"),
        ("tools/helper.py", "return 2 * x", "return (2 * x)"),
        ("unrelated.py", "1", "2"),
    ],
)
def test_comments_spacing_and_unrelated_modules_do_not_count(
    package: Path, file: str, old: str, new: str
) -> None:
    before = hash_of()
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))
    assert hash_of() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("step.py", "helper.double(x)", "helper.double(x + 1)"),
        ("tools/helper.py", "2 * x", "3 * x"),
        ("tools/helper.py", "2 * x", "2.0 * x"),
        ("tools/__init__.py", "", "VALUE = 1\n"),
    ],
)
def test_logic_counts_in_the_module_and_in_all_that_it_imports(
    package: Path, file: str, old: str, new: str
) -> None:
    before = hash_of()
    text = (package / file).read_text()
    (package / file).write_text(text.replace(old, new, 1))
    assert hash_of() != before


def test_a_string_that_is_not_a_docstring_counts(package: Path) -> None:
    (package / "step.py").write_text(MODULE + "\nPROMPT = 'one'\n")
    before = hash_of()
    (package / "step.py").write_text(MODULE + "\nPROMPT = 'two'\n")
    assert hash_of() != before


def test_the_text_below_a_constant_describes_it_and_does_not_count(package: Path) -> None:
    (package / "step.py").write_text(MODULE + '\nTABLE = 1\n"""One row per item."""\n')
    before = hash_of()
    (package / "step.py").write_text(MODULE + '\nTABLE = 1\n"""One row per question."""\n')
    assert hash_of() == before
    (package / "step.py").write_text(MODULE + "\nTABLE = 1\n")
    assert hash_of() == before


def test_an_import_inside_a_function_counts(package: Path) -> None:
    late = MODULE.replace("    return", "    import eyechart.unrelated\n\n    return")
    (package / "step.py").write_text(late)
    before = hash_of()
    (package / "unrelated.py").write_text("VALUE = 2\n")
    assert hash_of() != before


def test_circular_imports_end(package: Path) -> None:
    (package / "tools/helper.py").write_text("from eyechart import step\n" + HELPER)
    assert fingerprint.closure("eyechart.step") >= {"eyechart.step", "eyechart.tools.helper"}


def test_the_hash_is_the_same_in_every_process() -> None:
    root = Path(fingerprint.__file__).parents[2]
    code = "from eyechart.core.fingerprint import fingerprint as f; print(f({!r}))"
    code = code.format("eyechart.core.fingerprint")
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(root), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_no_module_of_the_package_imports_relatively() -> None:
    # the fingerprint would miss a relative import
    root = Path(fingerprint.__file__).parents[1]
    relative = [p for p in root.rglob("*.py") if "\nfrom ." in p.read_text()]
    assert relative == []


def test_facts_about_a_source_are_cached_and_used(package: Path) -> None:
    before = hash_of()
    fingerprint._save()
    kept = fingerprint.KNOWN.read_text()
    assert hash_of() == before
    fingerprint.KNOWN.write_text(kept.replace('",', '0",'))  # the cached hashes now differ
    assert hash_of() != before
    fingerprint.KNOWN.write_text("{")  # a damaged cache only costs time
    assert hash_of() == before
    fingerprint.KNOWN.unlink()
    os.mkfifo(fingerprint.KNOWN)  # nobody writes into it, so reading it would wait
    assert hash_of() == before
