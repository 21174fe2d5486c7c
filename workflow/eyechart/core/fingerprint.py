"""Hash the code that a step runs: its own module and all package modules that it imports.

Comments, docstrings and whitespace are dropped before hashing, so editing them reruns nothing.
Parsing the whole package takes seconds, so the facts about each source text are cached in a file,
keyed by the hash of the text.
"""

import ast
import atexit
import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

from eyechart.core.files import read_own, write_json

PACKAGE = Path(__file__).resolve().parents[1]
KNOWN = Path(".snakemake/eyechart-code.json")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

Facts = list[str]  # the hash of a source's logic, then the package modules that it may import


@cache
def fingerprint(module: str) -> str:
    """Return 16 hex digits that change exactly when the logic of a step may have changed.

    Parameters
    ----------
    module : dotted name inside the package, e.g. ``"eyechart.probing.train_probes"``
    """
    digest = hashlib.sha256()
    for name in sorted(closure(module)):
        digest.update(f"{name} {_known_facts(name)[0]}\n".encode())
    return digest.hexdigest()[:16]


def closure(module: str) -> set[str]:
    """Return a module and all package modules that it imports, directly or indirectly."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(n for n in _known_facts(name)[1:] if _facts(n))
    return found


def _known_facts(module: str) -> Facts:
    if not (facts := _facts(module)):
        raise FileNotFoundError(f"the package has no module {module}")
    return facts


@cache
def _facts(module: str) -> Facts:
    """Return a module's facts, parsing it if its text is new; empty if there is no such module."""
    base = PACKAGE.joinpath(*module.split(".")[1:])
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    if not path.exists():
        return []
    text = path.read_bytes()
    key = hashlib.sha256(_parser() + text).hexdigest()[:32]
    known = _known()
    if key not in known:
        atexit.unregister(_save)
        atexit.register(_save)
        known[key] = _parse(ast.parse(text))
    _used.add(key)
    return known[key]


_used: set[str] = set()


@cache
def _parser() -> bytes:
    """Return the other inputs of facts besides the text: this module and Python's version."""
    return Path(__file__).read_bytes() + repr(sys.version_info[:2]).encode()


@cache
def _known() -> dict[str, Facts]:
    known = read_own(KNOWN)  # the cache only saves time
    return {key: facts for key, facts in known.items() if facts and _are_names(facts)}


def _are_names(facts: Any) -> bool:
    return isinstance(facts, list) and all(isinstance(fact, str) for fact in facts)


def _save() -> None:
    """Save the facts that this process used; facts about older source texts are dropped."""
    if KNOWN.parent.is_dir():
        write_json(KNOWN, {key: facts for key, facts in _known().items() if key in _used})


def _parse(tree: ast.Module) -> Facts:
    imported = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from eyechart.a import b`: b is a module of the package or a name in a
            imported += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if isinstance(node, _DOCUMENTED):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    logic = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return [logic, *(name for name in imported if name.split(".")[0] == PACKAGE.name)]


def _is_text(statement: ast.stmt) -> bool:
    """Return whether a statement is only a string: a docstring, or the text below a constant."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False
