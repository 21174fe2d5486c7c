"""Collect the commands that the project's documents tell readers to type."""

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workflow" / "eyechart"
TEXTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "config/README.md")),
    *(ROOT / name for name in ("tests/README.md", "ARCHITECTURE.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "bench").glob("*.md")),
]
HEADERS = [*sorted((ROOT / "config").glob("*.yaml")), *sorted((ROOT / "config/presets").glob("*"))]
PROGRAMS = ("make", "snakemake", "python", ".venv/bin/", "pip")
# Placeholders for names that readers choose
EXAMPLES = {"<model>": "tiny_llava", "<dataset>": "clevr", "<env>": "torchvision"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_STEP = re.compile(r"^ +python -m eyechart\.", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A command that a document tells readers to type.

    Attributes
    ----------
    source : the text's path relative to the project's folder
    line : the command, with examples in place of placeholders
    config : the last YAML block before it in the text, or empty
    """

    source: str
    line: str
    config: str = ""

    @property
    def words(self) -> list[str]:
        """The words of the command as split by a shell, without comments."""
        return shlex.split(self.line, comments=True)


def in_texts() -> list[Command]:
    """Return the commands in documents and in the headers of configuration files."""
    found = [command for path in TEXTS for command in _of_document(path)]
    for path in HEADERS:
        for line in path.read_text(encoding="utf-8").splitlines():
            found += _split(path, line.removeprefix("#").strip()) if line.startswith("#   ") else []
    return list(dict.fromkeys(found))


def in_docstrings() -> list[Command]:
    """Return the commands of steps (`python -m eyechart…`) in the package's docstrings."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8").split('"""')
        head = text[1].replace("\\\\\n", "\n") if len(text) > 1 else ""
        starts = [match.start() for match in _STEP.finditer(head)]
        for start, end in itertools.pairwise([*starts, len(head)]):
            block = head[start:end].split("\n\n")[0].replace("\\\n", " ")
            found.append(Command(_from_root(path), " ".join(block.split())))
    return found


def _of_document(path: Path) -> Iterator[Command]:
    text = path.read_text(encoding="utf-8")
    config = ""
    for match in _FENCE.finditer(text):
        language, body = match.groups()
        if language in ("yaml", "yml"):
            config = body
        elif language in ("", "sh", "bash"):
            for line in body.replace("\\\n", " ").splitlines():
                yield from _split(path, line, config)
    for span in _INLINE.findall(_FENCE.sub("", text)):
        yield from _split(path, span)


def _split(path: Path, line: str, config: str = "") -> Iterator[Command]:
    for example, name in EXAMPLES.items():
        line = line.replace(example, name)
    for part in re.split(r"\s&&\s", line.split(" #")[0].strip()):
        words = part.split()
        # a bare program name is not a command: `snakemake`, `make`
        typed = len(words) > 1 and words[0].startswith(PROGRAMS) and "<" not in line
        if typed and words[1] != "=":
            yield Command(_from_root(path), part.strip(), config)


def _from_root(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
