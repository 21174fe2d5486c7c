"""The page for VLM-Lens users: every key, span, file and page that it mentions exists."""

import re
from typing import Any, get_args

import pytest
import yaml
from documented_commands import ROOT

from eyechart.core.address import REGION_SPANS
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.config.base import Span
from eyechart.plan.config.check import check
from eyechart.plan.config.root import RootConfig
from eyechart.plan.configuration import read_specs
from eyechart.plan.workflow import WorkflowPlan

PAGE = (ROOT / "docs/from_vlm_lens.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
HERE = "\n".join(row[-1] for row in ROWS)
OF_SECTION = re.findall(r"`(\w+):?`(?: and `(\w+)`)? of the section `(\w+)`", HERE)


def fields(section: str) -> dict[str, Any]:
    """Return the fields of a section of the configuration."""
    found: dict[str, Any] = RootConfig.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
    return found


def test_the_page_has_rows_and_keys() -> None:
    assert len(ROWS) > 30
    assert len(OF_SECTION) >= 4


@pytest.mark.parametrize("named", OF_SECTION, ids=str)
def test_a_key_is_in_its_section(named: tuple[str, ...]) -> None:
    *keys, section = named
    assert {key for key in keys if key} <= set(fields(section))


@pytest.mark.parametrize("key", re.findall(r"`(\w+):(?: \w+)?` in the spec", HERE))
def test_a_key_of_a_spec_exists(key: str) -> None:
    assert key in Spec.__dataclass_fields__


@pytest.mark.parametrize("key", re.findall(r"under `(\w+):`", HERE))
def test_a_top_level_key_exists(key: str) -> None:
    assert key in RootConfig.model_fields


@pytest.mark.parametrize("path", re.findall(r"`(results/[^`]+)`", PAGE))
def test_a_file_is_one_that_the_workflow_makes(path: str) -> None:
    assert paths.find(re.sub(r"<\w+>|NNN", "000", path)), path


def test_spans_exist() -> None:
    known = {*get_args(Span), *REGION_SPANS, "image_tokens"}
    (spans,) = re.findall(r"spans: \[(all_mean)\]`; (.*?) distinguish", HERE)
    assert {spans[0], *re.findall(r"`(\w+)`", spans[1])} <= known


def test_the_example_requests_the_documented_activations() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    plan = WorkflowPlan(check(yaml.safe_load(text), []), read_specs())
    plan.check()
    assert list(plan.probing_runs()) == [(m, "clevr") for m in plan.models]
    probes = [path.rpartition("/probing/")[2] for path in plan.probes(".parquet")]
    assert probes == [
        "llava_1_5_7b/clevr/boolean.parquet",
        "llava_1_5_7b/clevr/object_count.parquet",
        "clip_vit_l14_336/clevr/object_count.parquet",
    ]
