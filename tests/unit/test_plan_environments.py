"""Environments of models have exact pins, are built from them, and can run the package's steps."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from cases import OPERATORS

from eyechart.core.errors import UserError
from eyechart.core.fingerprint import closure
from eyechart.models.spec import Spec, defaults
from eyechart.plan import configuration, environments
from eyechart.plan.environments import Environments

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*")
ALL = environments.names()
OWN = [env for env in ALL if env != "base"]
# Steps that run in a model's environment
RULE = re.compile(r"conda:\n +OF_MODEL\n.*?-m (eyechart\.[a-z_.]+)", re.DOTALL)
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
STEPS = sorted({step for path in RULES for step in RULE.findall(path.read_text())})
MODEL = SimpleNamespace(model="old")


def distribution(pin: str) -> str:
    return re.sub(r"[-_.]+", "-", pin.split("==", maxsplit=1)[0]).lower()


@pytest.mark.parametrize("env", ALL)
def test_an_environment_is_pinned_exactly_in_condas_format(env: str) -> None:
    text = (ROOT / f"envs/{env}.yaml").read_text()
    assert text.startswith("# "), "the file does not say why it exists"
    held = yaml.safe_load(text)
    assert held.pop("channels") == ["conda-forge"]  # nodefaults fails under conda 26
    python, pip, packages = held.pop("dependencies")
    assert held == {}
    assert re.fullmatch(r"python=3\.1[0-2]\.\d+", python)
    assert re.fullmatch(r"pip=\d+\.\d+(\.\d+)?", pip)
    assert isinstance(packages["pip"], list)  # a plain string would silently install nothing
    assert [pin for pin in packages["pip"] if not PIN.fullmatch(pin)] == []
    names = [distribution(pin) for pin in packages["pip"]]
    assert len(names) == len(set(names))


def test_every_model_has_an_environment_and_every_environment_a_model() -> None:
    named = {yaml.safe_load(p.read_text()).get("env", "base") for p in models()}
    assert named == set(ALL)


def models() -> list[Path]:
    return sorted((ROOT / "config/models").glob("*.yaml"))


def imported() -> set[str]:
    """Return the distributions that the steps import in any environment."""
    names = set()
    for module in set().union(*(closure(step) for step in STEPS)):
        path = ROOT / "workflow" / (module.replace(".", "/") + ".py")
        if path.exists():
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.split(".")[0])
    known = packages_distributions()
    return {distribution(known[name][0]) for name in names if name in known}


@pytest.mark.parametrize("env", ALL)
def test_imports_of_the_steps_are_pinned_everywhere(env: str) -> None:
    assert {"numpy", "pyarrow", "torch", "transformers", "pyyaml"} <= imported()
    assert imported() <= {distribution(pin) for pin in environments.pins(env)["packages"]}


def test_the_environment_with_torchvision_is_base_plus_a_few_pins() -> None:
    base, more = (environments.pins(env)["packages"] for env in ("base", "torchvision"))
    assert set(base) < set(more)
    own = {distribution(pin) for pin in set(more) - set(base)}
    assert {"torchvision", "timm", "num2words"} <= own <= {*wanted(), "docopt"}


def wanted() -> set[str]:
    lines = (ROOT / "envs/torchvision.in").read_text().splitlines()
    return {distribution(line) for line in lines if not line.startswith(("#", "-"))}


@pytest.fixture(params=OWN)
def built(request: pytest.FixtureRequest) -> str:
    env: str = request.param
    if not environments.is_built(env):
        pytest.skip(f"did not run: {environments.how_to_build(env)}")
    return env


def test_a_built_environment_holds_exactly_its_pins(built: str) -> None:
    command = [environments.python_of(built), "-m", "pip", "list", "--format=json"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    held = {distribution(entry["name"]): entry["version"].split("+")[0] for entry in listed}
    pins = dict(pin.split("==") for pin in environments.pins(built)["packages"])
    differing = {
        name: (version, held.get(distribution(name)))
        for name, version in pins.items()
        if held.get(distribution(name)) != version
    }
    assert differing == {}
    # torch builds for other devices have additional libraries
    more = set(held) - {distribution(name) for name in pins} - {"pip"}
    assert {name for name in more if not name.startswith(("nvidia-", "cuda-", "triton"))} == set()


def test_the_steps_can_be_imported_in_a_built_environment(built: str) -> None:
    done = subprocess.run(
        [environments.python_of(built), "-c", f"{OPERATORS}\nimport {', '.join(STEPS)}"],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# Values that rules get


@pytest.fixture
def specs() -> dict[str, Spec]:
    own = {"family": "clip", "kind": "encoder", "checkpoint": "a/b", "licence": "MIT"}
    old = Spec(**(defaults() | own | {"vision_blocks": 3, "lm_blocks": 0, "env": "old"}))
    return {"old": old, "new": replace(old, env="base")}


@pytest.fixture
def envs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one environment spec and no built environment."""
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "envs")
    monkeypatch.setattr(environments, "BUILT", tmp_path / ".venvs")
    (tmp_path / "envs").mkdir()
    write(tmp_path / "envs/old.yaml")
    write(tmp_path / "envs/base.yaml")
    return tmp_path


def write(path: Path, packages: str = '["numpy==1.26.4"]', comment: str = "") -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    listed = f"[python={minor}.1, pip=25.3, {{pip: {packages}}}]"
    path.write_text(f"# {comment}\nchannels: [conda-forge]\ndependencies: {listed}\n")


def stamp(envs: Path) -> None:
    (envs / ".venvs/old").mkdir(parents=True)
    (envs / ".venvs/old/installed").write_text(environments.pins_hash("old") + "\n")


def test_a_job_runs_in_the_environment_of_its_model(envs: Path, specs: dict[str, Spec]) -> None:
    plain, conda = Environments(specs, False, 1), Environments(specs, True, 1)
    base = SimpleNamespace(model="new")
    assert plain.file(MODEL) == "../../envs/old.yaml"
    assert plain.python(base, None) == conda.python(base, None) == "python"
    assert conda.python(MODEL, None) == "python"  # the one that conda activates
    stamp(envs)
    assert plain.python(MODEL, None) == str(envs / ".venvs/old/bin/python")


def test_an_unbuilt_environment_is_reported_before_the_run_and_by_the_job(
    envs: Path, specs: dict[str, Spec]
) -> None:
    sentence = "the environment old is not built; run `make env ENV=old`, or snakemake with"
    plain = Environments(specs, False, 1)
    assert plain.python(MODEL, None) == "python -m eyechart.plan.environments old"
    assert (
        plain.unbuilt_warnings(["new"])
        == Environments(specs, True, 1).unbuilt_warnings(["old"])
        == []
    )
    (told,) = plain.unbuilt_warnings(["new", "old"])
    assert told.startswith(sentence) and told.endswith("(for old)")
    with pytest.raises(UserError, match=re.escape(sentence)):
        environments.main(["old", "-m", "eyechart.models.describe_model", "--model", "old"])


def test_an_environment_with_other_pins_is_not_used(envs: Path, specs: dict[str, Spec]) -> None:
    stamp(envs)
    write(envs / "envs/old.yaml", comment="another word on it")
    assert environments.is_built("old")
    write(envs / "envs/old.yaml", packages='["numpy==1.26.3"]')
    assert not environments.is_built("old")
    assert "the environment old was built from other pins" in environments.how_to_build("old")


def test_a_changed_pin_affects_only_the_models_of_that_environment(
    envs: Path, specs: dict[str, Spec]
) -> None:
    plain = Environments(specs, False, 1)

    def states() -> list[str]:
        return [plain.state(SimpleNamespace(model=model)) for model in ("old", "new")]

    before = states()
    write(envs / "envs/old.yaml", comment="another word on it")
    assert states() == before
    write(envs / "envs/old.yaml", packages='["numpy==1.26.3"]')
    old, new = states()
    assert old != before[0] and new == before[1]


def test_a_spec_without_an_environment_is_reported(envs: Path, specs: dict[str, Spec]) -> None:
    Environments(specs, False, 1).check()
    wrong = {"m": replace(specs["old"], env="odl")}
    with pytest.raises(UserError, match=r"config/models/m.yaml: env is 'odl'; did you mean 'old'?"):
        Environments(wrong, False, 1).check()


def test_the_projects_own_specs_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    Environments(configuration.read_specs(), False, 1).check()


# make env


@pytest.fixture
def make_venv() -> ModuleType:
    described = importlib.util.spec_from_file_location("make_venv", ROOT / "envs/make_venv.py")
    assert described is not None and described.loader is not None
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def test_an_environment_is_built_once_and_again_when_its_pins_change(
    envs: Path,
    make_venv: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[list[str]] = []

    def run(command: list[object], check: bool) -> SimpleNamespace:
        commands.append([str(part) for part in command])
        (envs / ".venvs/old").mkdir(parents=True, exist_ok=True)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(make_venv.subprocess, "run", run)
    make_venv.main(["all"])
    assert commands[0][1:] == ["-m", "venv", "--clear", str(envs / ".venvs/old")]
    assert commands[1][-3:] == ["install", "--no-compile", "numpy==1.26.4"]
    make_venv.main(["old"])
    assert len(commands) == 2
    assert ".venvs/old is as envs/old.yaml says" in capsys.readouterr().out
    write(envs / "envs/old.yaml", packages='["numpy==1.26.3"]')
    make_venv.main(["old"])
    assert len(commands) == 4


def test_an_installation_that_fails_leaves_no_stamp(
    envs: Path, make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp(envs)
    write(envs / "envs/old.yaml", packages='["numpy==1.26.3"]')
    failed = SimpleNamespace(returncode=1)
    monkeypatch.setattr(make_venv.subprocess, "run", lambda command, check: failed)
    with pytest.raises(UserError, match=r"pip could not install what envs/old.yaml pins"):
        make_venv.main(["old"])
    assert not environments.is_built("old")


def test_an_unknown_environment_or_a_missing_python_is_a_one_sentence_error(
    envs: Path, make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"there is no environment 'odl'; did you mean 'old'?"):
        make_venv.main(["odl"])
    monkeypatch.setattr(make_venv.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"Python 3\.9 is needed; put python3\.9 on the PATH"):
        make_venv.interpreter("3.9.2")
