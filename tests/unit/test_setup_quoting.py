"""Every value in every shell command is quoted, and names must match a pattern."""

import re
import string
from pathlib import Path
from types import SimpleNamespace

import pytest
from documented_commands import ROOT

from eyechart.core.errors import UserError
from eyechart.plan import configuration, parts
from eyechart.plan.configuration import output_flag, read_specs

SHELL = re.compile(r"^( *)shell:\n((?:\1 +.*\n|\n)+)", re.MULTILINE)
# These contain only flags and numbers; output_flag quotes the value of `regions`
FLAGS = {"params.allowance", "params.parts", "params.regions"}


def commands() -> list[tuple[str, str]]:
    return [
        (path.name, found[2])
        for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
        for found in SHELL.finditer(path.read_text(encoding="utf-8"))
    ]


def test_every_value_in_a_shell_command_is_quoted() -> None:
    assert len(commands()) == sum(
        path.read_text().count(" shell:\n") for path in (ROOT / "workflow/rules").glob("*.smk")
    )
    fields = [
        (file, field, spec)
        for file, text in commands()
        for _, field, spec, _ in string.Formatter().parse(text)
        if field is not None
    ]
    assert len(fields) > 300
    bare = [(file, field) for file, field, spec in fields if spec != "q" and field not in FLAGS]
    assert bare == []


def test_names_in_flag_params_are_quoted() -> None:
    output = {"regions": "results/a b;c/regions.parquet"}
    flag = output_flag("--regions", "regions")(None, output)
    assert flag == "--regions 'results/a b;c/regions.parquet'"
    of = parts.flags({"datasets": {"clevr": {"parts": 3}}}, {})
    assert of(SimpleNamespace(dataset="clevr", model="m", part="002")) == "--part 2 --parts 3"


@pytest.mark.parametrize(
    "name", ["a&touch pwned&b", "-h", "a\tb", "a b", "$(id)", "a;b", "a'b", "a{b}", "a\nb", "ä|b"]
)
def test_a_model_file_with_an_invalid_name_is_a_one_sentence_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "MODELS", tmp_path)
    (tmp_path / f"{name}.yaml").write_text("family: clip\n")
    with pytest.raises(UserError, match="expected a name of letters, digits") as found:
        read_specs()
    assert "\n" not in str(found.value) and "\t" not in str(found.value)


@pytest.mark.parametrize("name", ["a", "qwen2.5-vl", "Tiny_1"])
def test_a_plain_name_is_valid(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "MODELS", tmp_path)
    for file in (f"{name}.yaml", ".#hidden.yaml"):
        (tmp_path / file).write_text("family: clip\n")
    assert configuration.known_models() == [name]
