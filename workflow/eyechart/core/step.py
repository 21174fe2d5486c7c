"""A typed command-line helper: the signature of a step's function is its command line.

    @command
    def main(*, model: str, items: Path, answers: list[Path], settings: Json, seed: int) -> None:

``main`` is then called with the command line's words: ``main(["--model", "tiny_llava", …])``. A
parameter ``image_output`` is the flag ``--image-output``, required unless it has a default:

==========================  ====================================================
``str``, ``int``, ``Path``  one value
``list[T]``                 one value or more
``Literal["a", "b"]``       one of these
``bool``                    no value: true if the flag is given
``Json``                    a JSON object
``Fields[T]``               a JSON object with the fields of the dataclass ``T``
``Paths``                   paths, or none
``Annotated[T, {…}]``       ``T``, with these arguments of ``add_argument``
a dataclass                 its fields are flags: those that several steps share
==========================  ====================================================

The help text is the docstring of the module.
"""

import argparse
import json
import logging
import os
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

from tqdm import tqdm

from eyechart.core import collection, errors

Json = Annotated[dict[str, Any], {"type": json.loads}]
T = TypeVar("T")
Fields = Annotated[T, {}]
Paths = Annotated[list[Path], {"nargs": "*"}]


class Command(Protocol):
    """The decorated function; called without words, it reads the program's command line."""

    def __call__(self, argv: list[str] | None = None) -> None:
        """Run the step; exit with one sentence for a mistake in the program's command line."""


def command(function: Callable[..., None]) -> Command:
    """Return a function that parses a command line and calls ``function`` with its values."""

    @wraps(function)
    def main(argv: list[str] | None = None) -> None:
        if argv is None:
            collection.resume()
            errors.run(main)
            collection.keep_all()
            return
        parser = argparse.ArgumentParser(
            description=function.__globals__["__doc__"],
            formatter_class=argparse.RawTextHelpFormatter,
        )
        _add_flags(parser, function)
        found = vars(parser.parse_args(argv))
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        tqdm.monitor_interval = 0  # without memory, starting its thread would never end
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        try:
            _call(function, found)
        except BaseException:
            for bar in list(tqdm._instances):  # otherwise the error would follow it on its line
                bar.close()
            raise

    return main


def _add_flags(parser: argparse.ArgumentParser, shape: Callable[..., Any]) -> None:
    """Add the flags of a function, or of a dataclass."""
    for name, hint, default in _parameters(shape):
        if _is_group(hint):
            _add_flags(parser, hint)
        else:
            parser.add_argument(f"--{name.replace('_', '-')}", **_options(name, hint, default))


def _call(shape: Callable[..., Any], found: dict[str, Any]) -> Any:
    """Call a function or a dataclass with the values of its flags."""
    return shape(
        **{
            name: _call(hint, found) if _is_group(hint) else found[name]
            for name, hint, _ in _parameters(shape)
        }
    )


def _is_group(hint: Any) -> bool:
    return is_dataclass(hint)


def _parameters(shape: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Return each parameter's name, type and default (``Parameter.empty`` for none)."""
    hints = get_type_hints(shape, include_extras=True)
    return [(name, hints[name], p.default) for name, p in signature(shape).parameters.items()]


def _options(name: str, hint: Any, default: Any) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` for a type and a default."""
    special: dict[str, Any] = {}
    if get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        special = {name: value for given in more for name, value in given.items()}
    if hint is bool:
        return {"action": "store_true", **special}
    must = default is Parameter.empty
    options: dict[str, Any] = {"required": must, "default": None if must else default}
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        options["choices"] = inner
    elif origin is list:
        options |= {"type": inner[0], "nargs": "+"}
    elif _is_group(hint):
        options["type"] = partial(_from_json, name, hint)
    elif origin is UnionType:  # T | None
        options["type"] = inner[0]
    else:
        options["type"] = hint
    return options | special


def _from_json(flag: str, shape: Callable[..., T], text: str) -> T:
    """Return a dataclass from a JSON object; raise a UserError for an unknown or missing field."""
    value, known = json.loads(text), signature(shape).parameters
    needed = {name for name, p in known.items() if p.default is Parameter.empty}
    for name in sorted((value.keys() - known) | (needed - value.keys())):
        what = "missing" if name in known else "unknown"
        raise errors.UserError(f"--{flag}: {what} field {name!r}; {errors.nearest(name, known)}")
    return shape(**value)
