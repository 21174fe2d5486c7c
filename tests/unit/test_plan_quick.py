"""Shortcuts in Snakemake's planning do not change what is shown, run or rerun."""

import subprocess
import sys
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest
from documented_commands import ROOT
from snakemake.common import get_function_params
from snakemake.resources import Resource

from eyechart.core.sharing import Share
from eyechart.plan.quick import plan_quickly, start_run

SNAKEFILE = """
import sys
sys.path.insert(0, {code!r})
from eyechart.plan.quick import plan_quickly

class Plan:
    def path(self, wildcards):
        return "in.txt"
    def minutes(self, wildcards, attempt):
        return 7 * attempt
    def word(self, wildcards, input):
        return f"read-{{input[0]}}"

PLAN = Plan()

rule copy:
    input: PLAN.path
    output: "out.txt"
    resources: runtime=PLAN.minutes
    params: word=PLAN.word, number=lambda wildcards: 3
    shell: "echo {{params.word}} {{params.number}} {{resources.runtime}} {sign} > {{output}}"

plan_quickly(workflow)
"""
COMMAND = "echo read-in.txt 3 7 ! > out.txt"


def run(folder: Path, *words: str, sign: str = "!") -> str:
    code = str(ROOT / "workflow")
    (folder / "Snakefile").write_text(SNAKEFILE.format(code=code, sign=sign))
    (folder / "in.txt").touch()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_commands_are_shown_if_requested_and_run(tmp_path: Path) -> None:
    assert COMMAND not in run(tmp_path, "-n")
    assert COMMAND in run(tmp_path, "-n", "-p")
    run(tmp_path)
    assert (tmp_path / "out.txt").read_text() == "read-in.txt 3 7 !\n"
    assert "Nothing to be done" in run(tmp_path, "-n")


def test_a_changed_command_still_runs_again(tmp_path: Path) -> None:
    run(tmp_path)
    assert "code" in run(tmp_path, "-n", sign="?").lower().partition("reason")[2]
    run(tmp_path, sign="?")
    assert (tmp_path / "out.txt").read_text() == "read-in.txt 3 7 ?\n"


def test_stored_arguments_match_the_functions() -> None:
    class Workflow:
        rules = ()

    plan_quickly(Workflow())
    resource = Resource("runtime", lambda wildcards, attempt: attempt)
    assert list(get_function_params(resource.evaluate)) == list(
        signature(resource.evaluate).parameters
    )
    assert resource.evaluate(None, attempt=2, rulename="copy").value == 2


def job(folder: str, **params: str) -> SimpleNamespace:
    rule = SimpleNamespace(params=SimpleNamespace(**params))
    log, benchmark = [f"{folder}/logs/a.log"], f"{folder}/benchmarks/a.jsonl"
    return SimpleNamespace(rule=rule, output=[f"{folder}/a"], log=log, benchmark=benchmark)


@pytest.mark.parametrize("taken", ["one", "one/logs", "two/benchmarks"])
def test_a_run_ends_with_one_sentence_if_a_job_cannot_write_to_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(taken).parent.mkdir(exist_ok=True)
    Path(taken).touch()
    jobs = [job("one"), job("two", configuration="all")]
    workflow = SimpleNamespace(dag=SimpleNamespace(needrun_jobs=lambda: iter(jobs)))
    with pytest.raises(SystemExit, match=f"^eyechart: error: {taken}: nothing can be written"):
        start_run(workflow, {}, "results", Share())
    assert not Path("results").exists()
