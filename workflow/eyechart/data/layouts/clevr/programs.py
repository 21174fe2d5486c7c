"""CLEVR's functional programs: an engine that executes them on a scene, and their referents.

A program is a list of nodes ``{"function", "inputs", "value_inputs"}``. Inputs are indices of
earlier nodes, and the last node returns the answer. Names and semantics are CLEVR's (Johnson et al.
2017, supplement B), so CLEVR's question engine computes the same answers.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection
from itertools import combinations
from typing import Any

Node = dict[str, Any]
Program = list[Node]

_PLAIN = re.compile(r"(?P<function>count|exist)\((?P<values>(\w+ )*)scene\)")


class AmbiguousError(Exception):
    """The input of ``unique`` does not have exactly one object."""


def execute(program: Program, scene: dict[str, Any]) -> list[Any]:
    """Return the output of every node of a program; objects are given as indices.

    Raise an AmbiguousError if a ``unique`` gets no object or several.
    """
    results: list[Any] = []
    for step in program:
        name, *rest = step["function"].split("_", 1)
        given = [results[i] for i in step["inputs"]]
        function = _FUNCTIONS.get(step["function"]) or _BY_ATTRIBUTE[name](rest[0])
        results.append(function(scene, *given, *step["value_inputs"]))
    return results


def referent(program: Program, scene: dict[str, Any]) -> int | None:
    """Return the object whose attribute a program asks for at its end; None if there is none.

    It is the output of the ``unique`` before a ``query_…``.
    """
    last = program[-1]
    if not last["function"].startswith("query_"):
        return None
    (asked,) = last["inputs"]
    if program[asked]["function"] != "unique":
        return None
    found: int = execute(program[: asked + 1], scene)[-1]
    return found


def meaning(program: Program, at: int = -1) -> str:
    """Return the meaning of a program, independent of the wording and the order of its filters.

    Example
    -------
    "Are there any red cubes?" is ``exist(cube red scene)``.
    """
    node, values = program[at], []
    while node["function"].startswith("filter_"):
        values += node["value_inputs"]
        node = program[node["inputs"][0]]
    inner = [*node["value_inputs"], *(meaning(program, i) for i in node["inputs"])]
    own = f"{node['function']}({', '.join(inner)})" if inner else node["function"]
    return " ".join([*sorted(values), own])


def answer(question: str, counts: Counter[str]) -> Any:
    """Return the answer to a question, given by its :func:`meaning`, for a scene with these counts.

    Result: a number or a bool; None unless the question only counts objects with given values or
    asks whether there are any.
    """
    match = _PLAIN.fullmatch(question)
    if not match:
        return None
    number = counts[match["values"].strip()]
    return number if match["function"] == "count" else number > 0


def count_values(scene: dict[str, Any], attributes: Collection[str]) -> Counter[str]:
    """Return a scene's number of objects for each combination of values, such as ``cube red``."""
    own = [sorted(str(thing[name]) for name in attributes) for thing in scene["objects"]]
    sizes = range(len(attributes) + 1)
    return Counter(" ".join(some) for v in own for size in sizes for some in combinations(v, size))


def _unique(scene: dict[str, Any], objects: list[int]) -> int:
    if len(objects) != 1:
        raise AmbiguousError(f"{len(objects)} objects")
    return objects[0]


_BY_ATTRIBUTE: dict[str, Callable[[str], Callable[..., Any]]] = {
    "filter": lambda a: (
        lambda scene, objects, value: [i for i in objects if scene["objects"][i][a] == value]
    ),
    "query": lambda a: lambda scene, i: str(scene["objects"][i][a]),
    "same": lambda a: (
        lambda scene, i: [
            j for j, o in enumerate(scene["objects"]) if j != i and o[a] == scene["objects"][i][a]
        ]
    ),
    "equal": lambda a: lambda scene, one, other: one == other,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "scene": lambda scene: list(range(len(scene["objects"]))),
    "unique": _unique,
    "relate": lambda scene, i, side: scene["relationships"][side][i],
    "count": lambda scene, objects: len(objects),
    "exist": lambda scene, objects: bool(objects),
    "union": lambda scene, a, b: sorted(set(a) | set(b)),
    "intersect": lambda scene, a, b: sorted(set(a) & set(b)),
    "equal_integer": lambda scene, a, b: a == b,
    "less_than": lambda scene, a, b: a < b,
    "greater_than": lambda scene, a, b: a > b,
}
