"""Every fault ends as its table says, and docs/reliability.md lists all of them."""

import re
from pathlib import Path

import pytest
from faults.injector import OUTCOMES, Fault, attempt, modules
from faults.write_docs import PAGE, page

TRIED = [
    pytest.param(fault, marks=[pytest.mark.faults] if fault.long else [],
                 id=re.sub(r"\W+", "-", f"{module.__name__[10:]} {fault.where} {fault.what}"))
    for module in modules()
    for fault in module.FAULTS
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("fault", TRIED)
def test_a_fault_ends_as_the_table_says(fault: Fault, tmp_path: Path) -> None:
    attempt(fault, tmp_path)


def test_no_fault_is_listed_twice_and_each_has_an_outcome() -> None:
    names = [(module.KIND, fault.where, fault.what) for module in modules()
             for fault in module.FAULTS]  # fmt: skip
    assert len(names) == len(set(names))
    assert {param.values[0].outcome for param in TRIED} <= OUTCOMES.keys()


def test_the_page_lists_the_faults() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m faults.write_docs in tests"
