"""Benchmarks still run, and `make bench` writes no machine-dependent seconds."""

import importlib
from types import ModuleType

import pytest
from documented_commands import ROOT

QUICK = (
    "concepts.py --columns 1 --width 32 --pictures 2 --permutations 9 --bootstrap 9",
    "interventions.py --size 2m --pictures 2 --questions 1 --rounds 1",
    "mining.py --images 300 --width 16 --case planted",
    "readout.py --task semantic_correspondence --items 4 --addresses 1 --width 32",
    "wide_probes.py --addresses 1 --threads 1 --width 16 --rows 400",
)


@pytest.fixture
def run_all(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("run_all")


def test_seconds_are_left_out_or_given_in_products(run_all: ModuleType) -> None:
    table = "2 pictures\n\n| case | wall s | speed, bare = 1 | items/s |\n|---|---|---|---|\n"
    kept = run_all.ratios(table + "| ours | 7.25 | 0.5 | 9 |", 0.5)
    assert kept.endswith("| case | speed, bare = 1 |\n| --- | --- |\n| ours | 0.5 |")
    told = (
        '{"clock_s": 9.25, "processor_s": 3.0, "peak_mb": 20, "of": {"times": [1.5], "ratio": 2.0}}'
    )
    rows = run_all.ratios(told, 0.5).splitlines()[2:]
    assert rows == [f"| processor{run_all.UNIT} | 6 |", "| peak_mb | 20 |", "| of ratio | 2 |"]


def test_every_page_has_a_section_for_its_small_run(run_all: ModuleType) -> None:
    for page, script in run_all.SMALL:
        assert (ROOT / "bench" / script.split()[0]).exists()
        assert "<!-- end of small -->" in (ROOT / f"bench/{page}.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("script", QUICK, ids=lambda script: script.split()[0])
def test_a_benchmark_runs(run_all: ModuleType, script: str) -> None:
    assert "| --- |" in run_all.ratios(run_all.bench(script), 1.0)
