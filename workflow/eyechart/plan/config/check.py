"""Check the configuration before anything else runs, and fill in its defaults.

Snakemake imports this at parse time, so it must not import numpy or torch.
"""

import copy
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from eyechart.core.config_files import check_values, read
from eyechart.core.errors import UserError, nearest, shorter, shown
from eyechart.plan.config.root import with_defaults
from eyechart.plan.configuration import Config, check_known, known_models

MOST = 300  # maximum characters of a sentence
OF_MODELS = ("models", "checkpoints", "revisions", "remote_code", "loading.models")
Place = tuple[str | int, ...]
# A misspelled key is the most likely cause of other errors, since the correct key is then missing
FIRST = ("unknown_key", "literal_error", "union_tag_invalid", "missing", "union_tag_not_found")
EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "none_required": "null",
    "finite_number": "a finite number",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:,.10g}",
    "greater_than": "more than {gt:g}",
    "less_than": "less than {lt:,.10g}",
    "string_pattern_mismatch": "the form {pattern}",
    "string_too_short": "text that is not empty",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "literal_error": "{expected}",
    "expected": "{expected}",
}
UNQUOTED = "YAML reads yes, no, on and off without quotes as true and false: write it in quotes"


def check(config: dict[str, Any], files: Sequence[str | Path]) -> Config:
    """Return a merged configuration with all defaults filled in.

    Raise a UserError for the first mistake, with file, key, value and the expected values.

    Parameters
    ----------
    config : the configuration that Snakemake merged from all config files and ``--config``
    files : sequence of paths; the config files in merge order; an error names the last one that
        contains the key
    """
    held = Files(files)
    check_values(config, "--config")
    try:
        try:
            filled = with_defaults(config)
        except ValidationError as error:
            config = _with_numbers(error.errors(), config, held)
            filled = with_defaults(config)
    except ValidationError as error:
        raise UserError(shorter(sentence(error.errors(), config, held), MOST)) from None
    known = known_models()
    for key in OF_MODELS:
        place = key.split(".")
        named, _ = dig(filled, place)
        for model in named:
            check_known(f"{held.of(place, dig(config, place)[0])}: {key}", "model", model, known)
    return filled


class Files:
    """The config files in the order in which they were merged, read strictly."""

    def __init__(self, paths: Iterable[str | Path]):
        self.held = {str(path): read(path) for path in paths}

    def of(self, place: Sequence[str | int], value: Any = None) -> str:
        """Return the last file that contains a key, with this value if given, or ``--config``."""
        for path, held in reversed(self.held.items()):
            found, there = dig(held, place)
            if there and (value is None or repr(found) == repr(value)):  # NaN is not NaN
                return path
        return "--config"


def dig(held: Any, place: Sequence[str | int]) -> tuple[Any, bool]:
    """Return the value at a path in nested data, and whether it exists."""
    for key in place:
        try:
            held = held[key]
        except (KeyError, IndexError, TypeError):
            return None, False
    return held, True


def _with_numbers(errors: Sequence[Any], config: dict[str, Any], files: Files) -> dict[str, Any]:
    """Return the configuration with strings parsed as numbers at errors about ``--config``.

    Snakemake reads every value inside a list or mapping of ``--config`` as text. Only fields that
    do not accept text are changed, since text such as a version can look like a number.
    """
    config = copy.deepcopy(config)
    for error in errors:
        place = _written(error["loc"], config)
        value, _ = dig(config, place)
        if isinstance(value, str) and files.of(place, value) == "--config":
            holder, _ = dig(config, place[:-1])
            holder[place[-1]] = _plain(value)
    return config


def _plain(text: str) -> Any:
    """Return the number, boolean or null that a string represents, otherwise the string."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return {"true": True, "false": False, "null": None}.get(text.lower(), text)


def sentence(errors: Sequence[Any], config: dict[str, Any], files: Files) -> str:
    """Return the sentence about the first mistake."""
    errors = _of_tried_types(errors, config)
    kinds = [error["type"] for error in errors]
    error = min(errors, key=lambda error: [*FIRST, *kinds].index(error["type"]))
    place, context = _written(error["loc"], config), error.get("ctx", {})
    match error["type"]:
        case "unknown_key":
            at = (*place, context["key"])
            hint = nearest(context["key"], context["valid"])
            return f"{files.of(at)}: unknown key {shown(_dotted(at))}; {hint}"
        case "missing" | "union_tag_not_found" as kind:
            key = error["loc"][-1] if kind == "missing" else "layout"
            return f"{files.of(place)}: {_dotted(place)}: the key {key!r} is missing"
        case "union_tag_invalid":
            valid = [name.strip(" '") for name in context["expected_tags"].split(",")]
            at = (*place, "layout")
            rest = f" is {shown(context['tag'])}; {nearest(context['tag'], valid)}"
            return f"{files.of(at, context['tag'])}: {_dotted(at)}{rest}"
        case "mistake":
            at = (*place, context["key"]) if context["key"] else place
            return f"{files.of(at, dig(config, at)[0])}: {_dotted(at)}{context['rest']}"
    same = [other for other in errors if _written(other["loc"], config) == place]
    return _of_value(place, same, config, files)


def _of_value(place: Place, errors: Sequence[Any], config: dict[str, Any], files: Files) -> str:
    """Return the sentence about a value, with all alternatives that were expected."""
    value, _ = dig(config, place)
    if errors[0]["loc"][-1:] == ("[key]",):
        value = errors[0]["input"]
        at = _dotted(place[:-1] if place and place[-1] == value else place)
        where = f"{files.of(place)}: {at}: the key"
    else:
        where = f"{files.of(place, value)}: {_dotted(place)}"
    allowed = [error for error in errors if error["type"] == "literal_error"]
    if len(errors) == len(allowed) and isinstance(value, str):
        valid = [choice for error in allowed for choice in _choices(error)]
        return f"{where} is {shown(value)}; {nearest(value, valid)}"
    known = [error for error in errors if error["type"] in EXPECTED]
    if not known:
        return f"{where} is {shown(value)}: {errors[0]['msg']}"
    expected = [EXPECTED[e["type"]].format(**e.get("ctx", {})) for e in known]
    text = f"{where} is {shown(value)}, expected {' or '.join(dict.fromkeys(expected))}"
    unquoted = isinstance(value, bool) and {"string_type", "literal_error"} & {
        error["type"] for error in known
    }
    return f"{text}; {UNQUOTED}" if unquoted else text


def _of_tried_types(errors: Sequence[Any], config: dict[str, Any]) -> list[Any]:
    """Omit errors about the type of a value if there is a more specific error inside it."""
    places = [_written(error["loc"], config) for error in errors]
    return [
        error
        for error, place in zip(errors, places, strict=True)
        if not error["type"].endswith(("_type", "literal_error"))
        or not any(len(other) > len(place) and other[: len(place)] == place for other in places)
    ]


def _choices(error: Any) -> list[str]:
    """Return the values in a phrase such as ``'a', 'b' or 'c'``."""
    return [word.strip(" '") for word in error["ctx"]["expected"].replace(" or ", ",").split(",")]


def _written(loc: Place, config: dict[str, Any]) -> Place:
    """Return the part of an error's location that the user wrote.

    pydantic adds the layout of a dataset and the type that it tried.
    """
    held: Any = config
    place: list[str | int] = []
    for key in loc:
        found, there = dig(held, [key])
        if there:
            held, place = found, [*place, key]
    return tuple(place)


def _dotted(place: Sequence[str | int]) -> str:
    return ".".join(map(str, place)) or "the configuration"
