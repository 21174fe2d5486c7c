"""Nodes of CLEVR's functional programs, and their answers; the engine is that of its layout."""

from typing import Any

from eyechart.data.layouts.clevr.programs import Node, Program, execute
from eyechart.rendering.scene.vocabulary import ATTRIBUTES


def node(function: str, inputs: list[int] | None = None, *values: str) -> Node:
    """Return one node of a program."""
    return {"function": function, "inputs": inputs or [], "value_inputs": list(values)}


def run(program: Program, scene: dict[str, Any]) -> str:
    """Return the answer of a program: a value, ``yes``/``no``, or a count as decimal digits.

    Raise an AmbiguousError if a ``unique`` gets no object or several.
    """
    answer = execute(program, scene)[-1]
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return str(answer)


def filters(description: dict[str, str], start: int) -> Program:
    """Return the filter chain of a description, with node ``start`` as input."""
    chain: Program = []
    for attribute in ATTRIBUTES:
        if attribute in description:
            chain.append(node(f"filter_{attribute}", [start + len(chain)], description[attribute]))
    return chain
