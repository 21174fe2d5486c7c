"""Report words that Snakemake's greedy options consume, and unreadable config files.

``--configfile`` and ``--config`` consume all words up to the next option, including targets, and
Snakemake then ends with a traceback, as it does for an unreadable config file. `make` writes
``eyechart.pth`` into .venv, which calls this module when Python starts Snakemake there, so its
imports must be light.
"""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

FILES = ("--configfile", "--configfiles")
PAIRS = ("--config", "-C")


def taken(words: Sequence[str], options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each option with each word that it consumes."""
    option = ""
    for word in words:
        name, _, value = word.partition("=")
        if word.startswith("-"):
            option = name if name in options else ""
            if option and value:  # for which argparse consumes one word
                yield option, value
                option = ""
        elif option:
            yield option, word


def mistake(words: Sequence[str]) -> str | None:
    """Return the sentence about the first word that its option does not accept, or None."""
    for option, word in taken(words, FILES):
        made = Path(word).parts[:1] in (("results",), ("data",))
        named = Path(word).suffix in (".yaml", ".yml", ".json")
        if not made and (named or Path(word).is_file()):
            if sentence := _fault_of(word):
                return f"{option}: {sentence}"
            continue
        return _greedy(option, word, "a config file", f"snakemake {word} {option} mine.yaml")
    for option, word in taken(words, PAIRS):
        if "=" not in word:
            return _greedy(option, word, "key=value", f"snakemake {word} {option} key=value")
    return None


def _fault_of(file: str) -> str | None:
    """Return the sentence about a config file that cannot be read, or None.

    Modules imported for this are unloaded, since the workflow may be in another checkout.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(Path(__file__).parents[2]))
    try:
        from eyechart.core import config_files, errors  # noqa: PLC0415  only if one is given

        try:
            config_files.read(file, config_files.SNAKEMAKES)
        except errors.UserError as error:
            return str(error)
        return None
    finally:
        del sys.path[0]
        for name in [name for name in sys.modules if name.partition(".")[0] == "eyechart"]:
            if name not in before:
                del sys.modules[name]


def _greedy(option: str, word: str, expected: str, better: str) -> str:
    return (
        f"{option} takes all words that follow it, so {word!r} is read as {expected}; put targets "
        f"first: {better}"
    )


def check(argv: Sequence[str]) -> None:
    """Exit with one sentence for a word that an option consumes or an unreadable config file.

    Otherwise make garbage collection rarer, since importing Snakemake allocates much and frees
    little.
    """
    place = next((n for n, word in enumerate(argv[:3]) if Path(word).name == "snakemake"), None)
    if place is not None:
        gc.set_threshold(50_000, 20, 20)
    if place is not None and (found := mistake(argv[place + 1 :])):
        sys.stderr.write(f"eyechart: error: {found}\n")
        sys.stderr.flush()
        os._exit(1)  # a SystemExit would be reported as a failure of Python's startup
