"""Commands in documents and docstrings: their make targets and the flags of steps exist."""

import argparse
import ast
import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from documented_commands import ROOT, Command, in_docstrings, in_texts

TEXTS = in_texts()
OF_STEPS = [*in_docstrings(), *(c for c in TEXTS if "-m eyechart." in c.line)]
# Each command once, from the first document that has it
OF_MAKE = list({tuple(c.words): c for c in reversed(TEXTS) if c.words[0] == "make"}.values())


class ParsedError(Exception):
    """The flags were parsed."""


def named(command: Command) -> str:
    return f"{command.source}: {command.line[:60]}"


def test_commands_are_found() -> None:
    """A collector that finds nothing would pass every other test in this file."""
    assert Command("README.md", "make demo") in [Command(c.source, c.line) for c in OF_MAKE]
    assert any(c.line.startswith("snakemake ") and c.source == "README.md" for c in TEXTS)
    assert any(c.source.startswith("config/presets/") for c in TEXTS)
    assert len(in_docstrings()) > 60


@pytest.mark.parametrize("command", OF_MAKE, ids=named)
def test_a_target_of_make_exists(command: Command) -> None:
    done = subprocess.run(
        ["make", "-n", *command.words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", OF_STEPS, ids=named)
def test_a_step_has_the_flags_that_are_shown(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command.words
    module, flags = words[words.index("-m") + 1], words[words.index("-m") + 2 :]
    if flags in ([], ["…"]):  # the document omits the flags, so only the step must exist
        assert (ROOT / "workflow" / Path(*module.split("."))).with_suffix(".py").exists()
        return
    read = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, *args: object) -> None:
        read(self, *args)  # type: ignore[call-overload]
        raise ParsedError

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.delitem(sys.modules, module, raising=False)  # other steps may have imported it
    monkeypatch.setattr(sys, "argv", [module, *(_value(flag) for flag in flags)])
    with pytest.raises(ParsedError):
        runpy.run_module(module, run_name="__main__")


def of_remote_tests() -> list[ast.Call]:
    """Return the calls by which tests of remote code run steps; no other test runs them."""
    tree = ast.parse((ROOT / "tests/remote/test_remote_steps.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "run"]


@pytest.mark.parametrize("call", of_remote_tests(), ids=lambda call: ast.unparse(call.args[0]))
def test_a_step_has_the_flags_that_tests_of_remote_code_give(
    call: ast.Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: argparse.ArgumentParser, *args: object) -> None:
        raise ParsedError(self)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    step = importlib.import_module(f"eyechart.{ast.literal_eval(call.args[0])}")
    with pytest.raises(ParsedError) as error:
        step.main([])
    flags = {action.dest: action.required for action in error.value.args[0]._actions}
    given = {keyword.arg for keyword in call.keywords}
    assert given <= flags.keys()
    assert {flag for flag, required in flags.items() if required} <= given


@pytest.mark.parametrize("command", TEXTS, ids=named)
def test_a_file_that_is_installed_or_tested_exists(command: Command) -> None:
    tools = ("-r", "pytest")
    for before, word in zip(command.words, command.words[1:], strict=False):
        if before in tools and not word.startswith("-"):
            assert (ROOT / word).exists(), f"{command.source}: {word}"


def _value(word: str) -> str:
    """Return a value for a placeholder of the docstring."""
    return "{}" if word in ("JSON", "$SETTINGS") else word
