"""A function's signature becomes a command line."""

import logging
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from tqdm import tqdm

from eyechart.core.errors import UserError
from eyechart.core.step import Fields, Json, Paths, command

got: dict[str, Any] = {}


@dataclass(frozen=True)
class Settings:
    folds: int
    device: str = "cpu"


@dataclass(frozen=True)
class Shared:
    seed: int
    allow_code: bool = False


@dataclass(frozen=True, kw_only=True)
class More(Shared):
    plan: Fields[Settings]


@command
def main(*, model: str, items: Path, answers: list[Path], heads: Paths, settings: Json,
         kind: Literal["vlm", "encoder"], shared: Shared, item_output: Path | None = None,
         pair: Annotated[Annotated[list[int], {"nargs": 2}], {"help": "two"}],
         share: float = 0.5) -> None:  # fmt: skip
    """Store the arguments."""
    got.update(locals())


@command
def nested(args: More) -> None:
    """Store the arguments."""
    got["args"] = args


GIVEN = ["--model", "m", "--items", "a/items", "--answers", "b", "c", "--heads", "--settings"]
GIVEN += ['{"a": [1]}', "--kind", "vlm", "--seed", "7", "--pair", "1", "2"]


def without(flag: str) -> list[str]:
    start = GIVEN.index(flag)
    end = next((i for i in range(start + 1, len(GIVEN)) if GIVEN[i].startswith("--")), len(GIVEN))
    return GIVEN[:start] + GIVEN[end:]


def test_each_value_has_the_type_of_its_parameter() -> None:
    main(GIVEN)
    assert got == {
        "model": "m", "items": Path("a/items"), "answers": [Path("b"), Path("c")], "heads": [],
        "settings": {"a": [1]}, "kind": "vlm", "shared": Shared(7), "item_output": None,
        "pair": [1, 2], "share": 0.5,
    }  # fmt: skip
    main([*GIVEN, "--allow-code", "--item-output", "x", "--share", "2", "--heads", "h"])
    assert got["shared"] == Shared(7, True)
    assert (got["item_output"], got["share"], got["heads"]) == (Path("x"), 2.0, [Path("h")])


@pytest.mark.parametrize("flag", [word for word in GIVEN if word.startswith("--")])
def test_a_flag_without_a_default_is_required(flag: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(without(flag))
    assert f"the following arguments are required: {flag}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["--settings", "{"], "argument --settings: invalid loads value: '{'"),
        (["--kind", "llm"], "argument --kind: invalid choice: 'llm' (choose from"),
        (["--pair", "1"], "argument --pair: expected 2 arguments"),
        (["--answers"], "argument --answers: expected at least one argument"),
        (["--shared", "1"], "unrecognized arguments: --shared 1"),
    ],
)
def test_each_type_refuses_invalid_values(
    more: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        main([*GIVEN, *more])
    assert message in capsys.readouterr().err


def test_the_help_is_the_docstring_of_the_module(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert "A function's signature becomes a command line." in shown
    assert "two\n" in shown and "{vlm,encoder}" in shown


def test_a_json_object_becomes_a_dataclass() -> None:
    nested(["--seed", "7", "--plan", '{"folds": 3}'])
    assert got["args"] == More(seed=7, plan=Settings(3))
    with pytest.raises(UserError, match=r"--plan: unknown field 'fold'; did you mean 'folds'"):
        nested(["--seed", "7", "--plan", '{"fold": 3}'])
    with pytest.raises(UserError, match="--plan: missing field 'folds'"):
        nested(["--seed", "7", "--plan", "{}"])


def test_arguments_are_parsed_and_a_mistake_is_a_one_sentence_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["step", "--seed", "8", "--plan", '{"folds": 3}'])
    nested()
    assert got["args"].seed == 8
    monkeypatch.setattr(sys, "argv", ["step", "--seed", "8", "--plan", "{}"])
    with pytest.raises(SystemExit, match=r"^eyechart: error: --plan: missing field 'folds'"):
        nested()


def test_steps_log_their_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    main(GIVEN)
    assert root.level == logging.INFO
    assert root.handlers[0].formatter._fmt == "%(message)s"  # type: ignore[union-attr]
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"


def test_a_progress_bar_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory, starting a thread may never end."""
    monkeypatch.setattr(tqdm, "monitor", None)
    monkeypatch.setattr(tqdm, "monitor_interval", 10)
    main(GIVEN)
    before = threading.active_count()
    with tqdm(total=2) as bar:
        bar.update()
        assert threading.active_count() == before


def test_an_error_is_on_a_line_of_its_own_after_a_progress_bar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @command
    def fail() -> None:
        bar = tqdm(total=2)
        bar.update(0)
        raise UserError("a.png: damaged")

    with pytest.raises(UserError) as raised:
        fail([])
    shown = capsys.readouterr().err
    assert raised.tb is not None  # keeps the bar, as until a program has printed its error
    assert "0/2" in shown and shown.endswith("\n")
