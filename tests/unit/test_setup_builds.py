"""The build of torch is chosen by pip's index for each environment, as documented."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENV = """channels: [conda-forge]
dependencies:
  - python=3.11.7
  - pip=25.3
  - pip: [torch==1.0, torchvision==2.0]
"""


def index(folder: Path, label: str) -> str:
    """Write an index of two empty packages with a version label; return its address."""
    for name, version in (("torch", "1.0"), ("torchvision", "2.0")):
        own = folder / name
        own.mkdir(parents=True)
        info = f"{name}-{version}{label}.dist-info"
        wheel = own / f"{name}-{version}{label}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as file:
            head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}{label}\n"
            file.writestr(f"{info}/METADATA", head)
            tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            file.writestr(f"{info}/WHEEL", tag)
            file.writestr(f"{info}/RECORD", "")
        (own / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return folder.as_uri()


@pytest.mark.parametrize(("label", "expected"), [("", ""), ("+cpu", "+cpu")])
def test_an_extra_index_decides_the_build_of_both(
    label: str, expected: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "workflow/eyechart", tmp_path / "workflow/eyechart")
    (tmp_path / "envs").mkdir()
    shutil.copy(ROOT / "envs/make_venv.py", tmp_path / "envs")
    (tmp_path / "envs/toy.yaml").write_text(ENV)
    indices = {"PIP_INDEX_URL": index(tmp_path / "plain", "")}
    if label:
        indices["PIP_EXTRA_INDEX_URL"] = index(tmp_path / "labelled", label)
    own = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    command = [sys.executable, tmp_path / "envs/make_venv.py", "toy"]
    done = subprocess.run(
        command,
        env={**own, **indices, "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code = "from importlib.metadata import version as v; print(v('torch'), v('torchvision'))"
    python = tmp_path / ".venvs/toy/bin/python"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [f"1.0{expected}", f"2.0{expected}"]
