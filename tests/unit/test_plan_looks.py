"""Looks in the plan: a chain of jobs that ends with the usual files; no looks by default."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.plan import configuration, paths
from eyechart.plan.config.check import check
from eyechart.plan.looks import LooksPlan
from eyechart.plan.workflow import WorkflowPlan

NAMES = {"model": "tiny_llava", "dataset": "blink"}
LAST, SECOND = SimpleNamespace(**NAMES), SimpleNamespace(**NAMES, look="2")
FIRST = SimpleNamespace(**NAMES, look="1")


def plan(config: dict[str, Any], **changes: Any) -> WorkflowPlan:
    changed = copy.deepcopy(config)
    changed["verdict"].update(changes)
    return WorkflowPlan(changed, configuration.read_specs())


def test_by_default_everything_is_answered_at_once(config: dict[str, Any]) -> None:
    found, looks = plan(config), LooksPlan(config)
    assert looks.counts == [] and looks.before_last == 0 and looks.settings(LAST) == "{}"
    assert found.behavior.responses_before(LAST) == looks.classes(LAST) == []
    assert all("/looks/" not in path for path in found.verdict.responses(LAST))
    assert found.readout.responses(LAST), "readouts are compared with the responses"


def test_a_look_needs_the_classes_and_responses_of_the_one_before(config: dict[str, Any]) -> None:
    found = plan(config, look="sequential", looks=[36, 72, 400])
    looks = LooksPlan(found.config)
    assert looks.settings(SECOND) == '{"counts":[36,72,400],"look":2}'
    assert looks.settings(LAST) == '{"counts":[36,72,400],"look":3}'
    assert looks.classes(FIRST) == found.behavior.responses_before(FIRST) == []
    for wildcards, before in ((SECOND, "1"), (LAST, "2")):
        rule = paths.LOOK_VERDICT.rule(model="tiny_llava", look=before, table="classes")
        assert looks.classes(wildcards) == [rule]
        responses = found.behavior.responses_before(wildcards)
        assert [paths.LOOK_RESPONSES.match(path) for path in responses] == [
            {**NAMES, "look": before, "condition": c} for c in found.behavior.conditions("vlm")
        ]
    own = {paths.find(p, "<results>")[1].get("look") for p in found.verdict.responses(SECOND)}
    assert own == {"2"}
    usual = plan(config).verdict
    assert found.verdict.responses(LAST) == usual.responses(LAST)
    assert found.verdict.settings(LAST) == usual.settings(LAST), "the rules are the same"
    assert found.verdict.encoder_responses(SECOND) == usual.encoder_responses(LAST)
    assert found.readout.responses(LAST) == [], "the answered items depend on the readouts"


def test_a_single_look_is_only_a_limit(config: dict[str, Any]) -> None:
    found = plan(config, look="sequential", looks=[100])
    looks = LooksPlan(found.config)
    assert looks.before_last == 0 and looks.classes(LAST) == []
    assert looks.settings(LAST) == '{"counts":[100],"look":1}'


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ({"look": "sometimes"}, "verdict.look is 'sometimes'; There are: once, sequential"),
        ({"looks": [36, 36]}, "verdict.looks is [36, 36], expected rising numbers, each once"),
        ({"looks": [72, 36]}, "verdict.looks is [72, 36], expected rising numbers, each once"),
        ({"looks": [1, 36]}, "verdict.looks.0 is 1, expected at least 2"),
        ({"looks": []}, "verdict.looks is [], expected at least 1 entries"),
        ({"lok": "once"}, "unknown key 'verdict.lok'; did you mean 'look'?"),
    ],
)
def test_mistakes_about_looks_are_one_sentence_errors(
    verdict: dict[str, Any], expected: str
) -> None:
    datasets = {"clevr": {"layout": "clevr", "source": "download"}}
    with pytest.raises(UserError) as error:
        check({"models": ["tiny_llava"], "datasets": datasets, "verdict": verdict}, [])
    assert expected in str(error.value) and "\n" not in str(error.value)
