"""Addresses are parsed and ordered in one place; a decoder is part of the language model."""

import ast
import doctest
from pathlib import Path

from eyechart.core import address
from eyechart.core.address import (
    COMPONENT_NAMES,
    COMPONENTS,
    abbreviate,
    component,
    in_language_model,
    sort_key,
)
from eyechart.report.chart_style import COMPONENT_COLORS

PACKAGE = Path(address.__file__).parents[1]
T5 = ["vision.0", "vision.1", "connector.0", "connector", "lm.0", "lm.norm",
      "decoder.2", "decoder.10", "decoder.norm", "qformer.layer.1"]  # fmt: skip


def test_the_examples_hold() -> None:
    outcome = doctest.testmod(address)
    assert outcome.attempted >= 5 and not outcome.failed


def test_addresses_are_ordered_by_the_forward_pass() -> None:
    assert sorted(set(T5), key=sort_key) == T5
    assert abbreviate(T5[-4:]) == "decoder.2, decoder.10, decoder.norm, qformer.layer.1"


def test_the_decoder_is_a_component_of_the_language_model() -> None:
    assert component("decoder.2") == "decoder"
    assert [a for a in T5 if in_language_model(a)] == T5[4:9]


def test_the_page_shows_a_decoder_by_name_and_in_order() -> None:
    assert set(COMPONENT_COLORS) == {*COMPONENTS, "other"}
    assert set(COMPONENT_NAMES) == set(COMPONENTS)
    assert COMPONENT_NAMES["decoder"] == "language model's decoder"


def test_no_other_module_lists_the_components() -> None:
    found = []
    for path in sorted(set(PACKAGE.rglob("*.py")) - {Path(address.__file__)}):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List):
                words = {e.value for e in node.elts if isinstance(e, ast.Constant)}
                found += [f"{path}:{node.lineno}"] * ({"vision", "connector", "lm"} <= words)
    assert found == []
