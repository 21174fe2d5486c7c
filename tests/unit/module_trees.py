"""Module names of real checkpoints, as logged by VLM-Lens, with number ranges in one line."""

import itertools
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "module_trees"
MODELS = sorted(path.stem for path in FOLDER.glob("*.txt"))


def module_tree(model: str) -> list[str]:
    """Return all module names of a model; ``layers.[0-2]`` in its file means three names."""
    lines = (FOLDER / f"{model}.txt").read_text().splitlines()
    return [name for line in lines for name in _written_out(line)]


def _written_out(line: str) -> list[str]:
    parts = re.split(r"\[([\d,-]+)\]", line)
    axes = [_numbers(part) if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(name) for name in itertools.product(*axes)]


def _numbers(ranges: str) -> list[str]:
    ends = [r.partition("-") for r in ranges.split(",")]
    return [str(n) for first, _, last in ends for n in range(int(first), int(last or first) + 1)]
