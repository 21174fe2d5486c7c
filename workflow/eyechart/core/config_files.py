"""Read a config file strictly, with one sentence per fault.

`core.command_line` imports this before Snakemake starts, so it needs only yaml.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from eyechart.core.errors import UserError, shown

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, if available
SNAKEMAKES: Any = yaml.SafeLoader  # rejects some input that LOADER accepts, such as {a: b?, c: d}
MOST_BYTES = 1_000_000
DEEPEST = 50
MOST_VALUES = 100_000  # with aliases expanded
MOST_BITS = 1_000  # of an integer; Python refuses to print a very long one
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
KINDS = {list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
_SECRET = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\w://[^\s/@]*:[^\s/@]*@")  # a token, or in an address
_OTHER_BASE = re.compile(r"[-+]?0[0-7_]+|.*:.*")  # 010 is 8, and 1:30 is 90
NOT_PLAIN = ("binary", "set", "omap", "pairs")  # YAML types that JSON lacks


def read(path: str | Path, loader: Any = LOADER) -> dict[str, Any]:
    """Load a YAML or JSON file that maps keys to plain data.

    Raise a UserError if the file is missing, too large, not UTF-8, not YAML or JSON, or nested too
    deeply, or if a mapping repeats a key, for which YAML would silently use the last value.
    """
    text = _text(Path(path))
    try:
        _check_depth(text, path, loader)
        found = _load(text, path, loader)
    except yaml.YAMLError as error:
        found = _from_json(text, path, error)
    if not isinstance(found, dict):
        what = "is empty" if found is None else f"is {KINDS.get(type(found), 'a date')}"
        raise UserError(f"{path}: {what}, expected keys with values")
    check_values(found, path)
    return found


def check_values(held: Any, where: object) -> None:
    """Raise a UserError for a number that is too long, invalid Unicode, or a secret.

    Settings are written to files and pages, so none may contain a token or password.
    """
    if isinstance(held, str) and _SECRET.search(held):
        raise UserError(
            f"{where}: a value contains a token or a password; remove it, and set the environment "
            "variable HF_TOKEN to a hub's token"
        )
    if isinstance(held, int) and held.bit_length() > MOST_BITS:
        raise UserError(f"{where}: a number has too many digits")
    if isinstance(held, str) and not held.isascii():
        try:
            held.encode()
        except UnicodeEncodeError:
            raise UserError(f"{where}: {shown(held)} is not Unicode text") from None
    if isinstance(held, dict | list):
        for entry in [*held, *held.values()] if isinstance(held, dict) else held:
            check_values(entry, where)


def _load(text: str, path: str | Path, kind: Any) -> Any:
    """Parse a text, check its nodes before building the value, and return the value."""
    loader = kind(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Nodes(path, loader).check(node, "", ())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def check(path: str | Path) -> None:
    """Exit with one sentence if Snakemake cannot read a config file."""
    try:
        read(path, SNAKEMAKES)
    except UserError as error:
        sys.exit(f"eyechart: error: {error}")


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise UserError(f"{path}: is a folder, expected a YAML or JSON file")
        if not path.is_file() and path.exists():
            raise UserError(f"{path}: is not a file, expected a YAML or JSON file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(f"{path}: {size} bytes, the maximum is {MOST_BYTES}")
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, expected a YAML or JSON file") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[error.start]
        raise UserError(
            f"{path}: not UTF-8: byte {byte:#04x} in line {line}; save it as UTF-8"
        ) from None
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _check_depth(text: str, path: str | Path, loader: Any) -> None:
    """Raise a UserError for deep nesting, before building it would exhaust the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = text.count("\n", 0, getattr(event.start_mark, "index", 0)) + 1
            raise UserError(f"{path}: line {line}: nested more than {DEEPEST} deep")


def _from_json(text: str, path: str | Path, error: yaml.YAMLError) -> Any:
    """Return the value of JSON that tabs make invalid as YAML; otherwise raise YAML's error."""
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{path}: nested more than {DEEPEST} deep") from None
    except json.JSONDecodeError as other:
        is_json = Path(path).suffix == ".json"
        said = f"line {other.lineno}: {other.msg}" if is_json else _said(error, text)
        raise UserError(f"{path}: {said}") from None
    except ValueError:
        raise UserError(f"{path}: a number has too many digits") from None


def _said(error: yaml.YAMLError, text: str) -> str:
    """Return the line and the description of a YAML error."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        written = "".join(text.splitlines()[mark.line : mark.line + 1])
        hint = "; indent with spaces, not tabs" if written.lstrip(" ").startswith("\t") else ""
        said = str(getattr(error, "problem", ""))
        before = f"{getattr(error, 'context', '')}, " if said.startswith("but ") else ""
        return f"line {mark.line + 1}: {before}{said}{hint}"
    number = text.count("\n", 0, getattr(error, "position", 0)) + 1
    return f"line {number}: {' '.join(str(error).split())}"


class _Nodes:
    """The nodes of a document, each checked once, however many aliases refer to it."""

    def __init__(self, path: str | Path, loader: Any) -> None:
        self._path, self._loader = path, loader
        self._sizes: dict[int, int] = {}

    def check(self, node: yaml.Node, at: str, above: tuple[int, ...]) -> int:
        """Return the number of values that a node represents; raise a UserError if invalid."""
        if id(node) in above:
            raise self._error(node, "a value that contains itself")
        kind = node.tag.rpartition(":")[2]
        if kind in NOT_PLAIN:
            raise self._error(node, f"the YAML type {kind} is not supported, expected plain values")
        if id(node) not in self._sizes:
            inner = (*above, id(node))
            size = 1
            if isinstance(node, yaml.ScalarNode):
                self._check_scalar(node)
            elif isinstance(node, yaml.SequenceNode):
                size += sum(self.check(entry, at, inner) for entry in node.value)
            elif isinstance(node, yaml.MappingNode):
                self._check_keys(node, at)
                size += sum(
                    self.check(value, f"{at}{key.value}.", inner) for key, value in node.value
                )
            if size > MOST_VALUES:
                raise self._error(node, f"represents more than {MOST_VALUES} values")
            self._sizes[id(node)] = size
        return self._sizes[id(node)]

    def _check_scalar(self, node: yaml.ScalarNode) -> None:
        try:
            self._loader.construct_object(node)
        except yaml.YAMLError:
            raise
        except Exception:  # from int, float, datetime and others that YAML's own code calls
            kind = node.tag.rpartition(":")[2]
            raise self._error(node, f"{shown(node.value)} is not a YAML {kind}") from None
        if node.tag in NUMBERS and _OTHER_BASE.fullmatch(node.value):
            found = self._loader.construct_object(node)
            raise self._error(node, f"YAML reads {node.value} as {found}; write it as {found}")

    def _check_keys(self, node: yaml.MappingNode, at: str) -> None:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a list or mapping cannot be a key: unhashable key")
            if key.tag != "tag:yaml.org,2002:str" and key.value != "<<":
                raise self._error(key, f"the key {key.value} is not a string; write it in quotes")
            name = f"{at}{key.value}"
            if name in lines and key.value != "<<":
                raise UserError(
                    f"{self._path}: the key {shown(name)} is in line {lines[name]} and again "
                    f"in line {line}; keep one of them"
                )
            lines[name] = line

    def _error(self, node: yaml.Node, what: str) -> UserError:
        return UserError(f"{self._path}: line {node.start_mark.line + 1}: {what}")
