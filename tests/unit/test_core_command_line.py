"""Words that Snakemake's greedy options consume cause a one-sentence error, not a traceback."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from eyechart.core.command_line import mistake

ROOT = Path(__file__).resolve().parents[2]
TARGET = "results/verdict/tiny_llava.parquet"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.yaml").write_text("models: [tiny_clip]\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "asks.yaml").write_text("{models: [tiny_clip], prompt: Is it?, choices: [a, b]}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["-n", "--configfile", "mine.yaml", TARGET],
            f"--configfile takes all words that follow it, so {TARGET!r} is read as a config file; "
            f"put targets first: snakemake {TARGET} --configfile mine.yaml",
        ),
        (
            ["--config", "seed=3", "all", "--cores", "2"],
            "--config takes all words that follow it, so 'all' is read as key=value; put targets "
            "first: snakemake all --config key=value",
        ),
        (["-C", "seed=3", "all"], "-C takes all words that follow it"),
        (["--configfile=mine.yaml", "all"], None),  # argparse takes one word here
        (["--configfile", "mine.yaml", "results/m.json"], "--configfile takes all words that"),
        (["--configfile", "mime.yaml"], "--configfile: mime.yaml: no such file, expected"),
        (["--configfile", "mine.yaml", "empty.yaml"], "--configfile: empty.yaml: is empty, expec"),
        (["--configfile", "asks.yaml"], "--configfile: asks.yaml: line 1: expected ',' or '}'"),
        (["--configfiles=mime.json"], "--configfiles: mime.json: no such file"),
        ([TARGET, "--configfile", "mine.yaml", "--cores", "2"], None),
        (["--configfile", "mine.yaml", "--", TARGET], None),
        (["--config", "seed=3", "models=[tiny_clip]", "--cores", "all"], None),
        ([TARGET, "-n"], None),
    ],
)
def test_a_greedy_option_is_reported(words: list[str], sentence: str | None) -> None:
    found = mistake(words)
    assert found is None if sentence is None else found and found.startswith(sentence)


@pytest.mark.parametrize("program", [["-m", "snakemake"], ["snakemake"]])
def test_snakemake_ends_with_that_sentence_in_the_environment_of_make(
    program: list[str], folder: Path
) -> None:
    """The test uses a separate environment with this one's packages, as `make` sets it up."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "env"], check=True)
    (site,) = (folder / "env/lib").glob("python*/site-packages")
    here = next(p for p in sys.path if p.endswith("site-packages"))
    (site / "packages.pth").write_text(f"{here}\n")
    python = folder / "env/bin/python"
    subprocess.run([python, ROOT / "envs/catch_mistakes.py"], check=True)
    script = folder / "snakemake"
    script.write_text("from snakemake.cli import main\nmain()\n")
    command = [python, *program, "-n", "--config", "seed=3", TARGET]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("eyechart: error: --config takes all words that follow it")
    assert done.stderr.count("\n") == 1
    line = runpy.run_path(str(ROOT / "envs/catch_mistakes.py"))["LINE"]
    assert (site / "eyechart.pth").read_text() == line
    done = subprocess.run([python, "-c", "print(1)"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_reading_a_config_file_leaves_no_modules_of_this_checkout(folder: Path) -> None:
    """The workflow that Snakemake then runs may belong to another checkout."""
    (folder / "fine.yaml").write_text("seed: 3\n")
    code = (
        "import runpy, sys\n"
        "mistake = runpy.run_path(sys.argv[1])['mistake']\n"
        "print(mistake(['--configfile', 'fine.yaml']))\n"
        "print([name for name in sys.modules if name.startswith('eyechart')])\n"
    )
    script = ROOT / "workflow/eyechart/core/command_line.py"
    command = [sys.executable, "-S", "-c", code, script]
    here = next(p for p in sys.path if p.endswith("site-packages"))
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": here}
    )
    assert done.stdout == "None\n[]\n"
