"""Hash of the code that a step runs: its own module and all package modules that it imports.

Comments, docstrings and whitespace are dropped before hashing, so editing them reruns nothing.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def fingerprint(module: str) -> str:
    """Return 16 hex digits that change exactly when the logic of a step may have changed.

    Parameters
    ----------
    module : str
        Dotted name inside the package, e.g. ``"eyechart.probing.train_probes"``.
    """
    digest = hashlib.sha256()
    for name in sorted(closure(module)):
        digest.update(f"{name}\n{_logic(_path(name))}\n".encode())
    return digest.hexdigest()[:16]


def closure(module: str) -> set[str]:
    """Return a module and all package modules that it imports, directly or indirectly."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(name))
    return found


def _path(module: str) -> Path:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imports(module: str) -> tuple[str, ...]:
    found = []
    for node in ast.walk(_tree(_path(module))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from eyechart.a import b`: b is a module of the package, or a name inside a
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(n for n in found if n.split(".")[0] == PACKAGE.name and _path(n).exists())


@cache
def _logic(path: Path) -> str:
    tree = _tree(path)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is only a string: a docstring, or the text below a constant."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False
