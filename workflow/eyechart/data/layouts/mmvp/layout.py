"""The official on-disk layout of MMVP: ``Questions.csv`` and ``MMVP Images/<Index>.jpg``.

Source: the authors' evaluation scripts (Tong et al., CVPR 2024). They number images by row. Here
the ``Index`` is used, so rows may be in any order.
"""

import logging
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import Inventory
from eyechart.data.layouts.mmvp.tasks import pattern_of
from eyechart.data.layouts.pairs import QUESTIONS, PairedRow, folder, inventory_of, read_paired
from eyechart.data.records import Record, positive, read_csv, require

NAME = "mmvp"
TOPS = ("MMVP", "")  # possible top folders of an archive
FILES = (r"(Questions|Patterns)\.csv", r"MMVP[ _]Images/[0-9]+\.jpg")
RELEASED = None
PATTERNS = "Patterns.csv"  # addition of eyechart's rendered datasets: the pattern of each Index
FOLDERS = ("MMVP Images", "MMVP_Images")  # the name in the authors' script, and a common variant
COLUMNS = ("Index", "Question", "Options", "Correct Answer")
SPELLED = {"lndex": "Index"}  # the released Questions.csv starts with a lower-case L
UNKNOWN = "mmvp"  # task of items whose pattern was not published
_log = logging.getLogger(__name__)
_OPTION = re.compile(r"\(([a-z])\)\s*(.*?)\s*(?=\([a-z]\)|$)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class MmvpQuestion(PairedRow):
    """One question: the texts of its options, and the letter of the correct one."""

    options: str
    choices: list[str]
    letter: str
    answer: str


def image_path(root: Path, question: MmvpQuestion) -> str:
    """Return the path of a question's image in the dataset's folder."""
    return f"{folder(root, FOLDERS)}/{question.number}.jpg"


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts of the only split, and all files relative to ``root``."""
    questions = read_questions(root)
    images = [image_path(root, question) for question in questions]
    tables = [QUESTIONS, *([PATTERNS] if (root / PATTERNS).exists() else [])]
    return inventory_of(root, splits[0], questions, images, tables)


def read_questions(root: Path) -> list[MmvpQuestion]:
    """Read the questions, sorted by ``Index``.

    Raise a UserError if they cannot be read, or the two rows of a pair differ in question or
    pattern, or have equal answers. Options that differ cause a warning.
    """
    patterns = _read_patterns(root / PATTERNS)
    return read_paired(root, COLUMNS, partial(_question, patterns=patterns), _check_pair, SPELLED)


def parse_options(text: str, where: str) -> list[str]:
    """Return the option texts of ``(a) … (b) …``; letters are consecutive from a, in any case.

    Raise a UserError if the text has another form, an option is empty, or two options are equal.
    """
    found = _OPTION.findall(text)
    whole = "".join(f"({letter}){option}" for letter, option in found)
    letters = "".join(letter.lower() for letter, _ in found)
    choices = [option for _, option in found]
    if (
        len(found) < 2
        or letters != "abcdefghijklmnopqrstuvwxyz"[: len(found)]
        or "".join(whole.split()) != "".join(text.split())
        or not all(choices)
    ):
        raise UserError(f"{where}: Options is {text!r}, expected '(a) … (b) …'")
    if len(set(choices)) < len(choices):
        raise UserError(f"{where}: Options is {text!r}, in which two options are equal")
    return choices


def _question(record: Record, patterns: dict[int, str] | None) -> MmvpQuestion:
    index, values = positive(record, "Index"), record.values
    if not values["Question"]:
        raise UserError(f"{record.where}: Question is empty")
    choices = parse_options(values["Options"], record.where)
    letters = [f"({chr(ord('a') + place)})" for place in range(len(choices))]
    letter = values["Correct Answer"].lower()
    if letter not in letters:
        raise UserError(
            f"{record.where}: Correct Answer is {values['Correct Answer']!r}, expected one of "
            f"{', '.join(letters)}"
        )
    if patterns is not None and index not in patterns:
        raise UserError(f"{record.where}: Index {index} has no row in {PATTERNS}")
    return MmvpQuestion(
        where=record.where,
        number=index,
        text=values["Question"],
        options=values["Options"],
        choices=choices,
        letter=letter,
        answer=choices[letters.index(letter)],
        pattern=UNKNOWN if patterns is None else patterns[index],
    )


def _check_pair(one: MmvpQuestion, other: MmvpQuestion) -> None:
    if _plain(one.text) != _plain(other.text):
        raise UserError(
            f"{one.where}: question {one.text!r} differs from {other.text!r} of its partner in "
            f"{other.where}"
        )
    if one.number < other.number and _plain(one.options) != _plain(other.options):
        _log.warning(
            "%s: options %r differ from %r of its partner in %s",
            *(one.where, one.options, other.options, other.where),
        )
    if one.answer == other.answer:
        raise UserError(
            f"{one.where}: Correct Answer {one.letter} is also the answer of its partner in "
            f"{other.where}, so a model that sees no difference would be right"
        )
    if one.pattern != other.pattern:
        raise UserError(
            f"{one.where}: pattern {one.pattern!r} differs from {other.pattern!r} of its partner"
        )


def _plain(text: str) -> str:
    return "".join(text.split()).lower()


def _read_patterns(path: Path) -> dict[int, str] | None:
    if not path.exists():
        return None
    records = read_csv(path)
    require(records, ("Index", "Type"), path)
    return {positive(r, "Index"): pattern_of(r.values["Type"], r.where) for r in records}
