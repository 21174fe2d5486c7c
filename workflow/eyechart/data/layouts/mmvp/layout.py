"""The official on-disk layout of MMVP: ``Questions.csv`` and ``MMVP Images/<Index>.jpg``.

Source: the authors' evaluation scripts (Tong et al., CVPR 2024). They number images by row;
here the ``Index`` counts, so rows may be in any order. MMVP has no splits: the only split of a
dataset in this layout may have any name.
"""

import re
from pathlib import Path
from typing import NamedTuple

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import within_top
from eyechart.data.layouts.mmvp.tasks import pattern_of
from eyechart.data.records import Record, positive, read_csv, require
from eyechart.tables import receipt

NAME = "mmvp"
TOPS = ("MMVP", "")  # possible top folders of an archive
RELEASED = None  # the only split may have any name
QUESTIONS = "Questions.csv"
PATTERNS = "Patterns.csv"  # addition of eyechart's rendered datasets: the pattern of each Index
FOLDERS = ("MMVP Images", "MMVP_Images")  # the name in the authors' script, and a common variant
COLUMNS = ("Index", "Question", "Options", "Correct Answer")
UNKNOWN = "mmvp"  # task of items whose pattern was not published
_OPTION = re.compile(r"\(([a-z])\)\s*(.*?)\s*(?=\([a-z]\)|$)", re.IGNORECASE | re.DOTALL)


class MmvpQuestion(NamedTuple):
    """One row of ``Questions.csv``: the texts of its options, and the letter of the correct one."""

    where: str
    number: int
    text: str
    options: str
    choices: list[str]
    letter: str
    answer: str
    pattern: str


def image_path(root: Path, index: int) -> str:
    """Return the path of an image in the dataset's folder."""
    return f"{folder(root, FOLDERS)}/{index}.jpg"


def folder(root: Path, names: tuple[str, ...]) -> str:
    """Return which of several names the image folder has.

    Raises
    ------
    UserError
        If none of these folders exists.
    """
    found = [name for name in names if (Path(root) / name).is_dir()]
    if not found:
        raise UserError(f"{root}: no image folder, expected {' or '.join(names)}")
    return found[0]


def image_name(number: int) -> str:
    """Return the id of the image with this number."""
    return f"image_{number:03d}"


def pair_name(number: int) -> str:
    """Return the id of the pair that consists of 2k − 1 and 2k.

    >>> pair_name(1), pair_name(2), pair_name(300)
    ('pair_001', 'pair_001', 'pair_150')
    """
    return f"pair_{(number + 1) // 2:03d}"


def member(name: str, splits: list[str]) -> str | None:
    """Return an archive member's path in the dataset's folder, or None if it is not needed."""
    path = within_top(name, TOPS)
    folders = "|".join(map(re.escape, FOLDERS))
    needed = path in (QUESTIONS, PATTERNS) or re.fullmatch(rf"({folders})/[0-9]+\.jpg", path)
    return path if needed else None


def check_released(splits: list[str]) -> None:
    """Raise a UserError for more than one split: all questions are one split."""
    check_one(splits, NAME)


def check_one(splits: list[str], layout: str) -> None:
    """Raise a UserError for more than one split of a layout without splits."""
    if len(splits) != 1:
        raise UserError(
            f"splits are {', '.join(splits)}, but the layout {layout!r} has no splits; give one "
            "name for all of it, e.g. [test]"
        )


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Return the counts of the only split, and all files relative to ``root``.

    Raises
    ------
    UserError
        If the questions cannot be read (see :func:`read_questions`), or an image is missing.
    """
    check_released(splits)
    questions = read_questions(root)
    for question in questions:
        path = Path(root) / image_path(root, question.number)
        if not path.is_file():
            raise UserError(f"{path}: no such image, but {question.where} asks about it")
    lists = [QUESTIONS, *([PATTERNS] if (Path(root) / PATTERNS).exists() else [])]
    files = [*lists, *(image_path(root, question.number) for question in questions)]
    counts = receipt.SplitCounts(images=len(questions), questions=len(questions))
    return {splits[0]: counts}, [Path(file) for file in files]


def read_questions(root: Path) -> list[MmvpQuestion]:
    """Read the questions, sorted by ``Index``; 2k − 1 and 2k are a pair.

    Raises
    ------
    UserError
        If a column is missing, a cell cannot be read, an ``Index`` is duplicated or lacks its
        partner, or the two rows of a pair differ in question or options, or have equal answers.
    """
    path = Path(root) / QUESTIONS
    records = read_csv(path, strict=False)  # as lenient with quotes as the authors' reader
    require(records, COLUMNS, path)
    patterns = _read_patterns(Path(root) / PATTERNS)
    found: dict[int, MmvpQuestion] = {}
    for record in records:
        question = _question(record, patterns)
        if question.number in found:
            earlier = found[question.number].where
            raise UserError(f"{record.where}: Index {question.number} is already in {earlier}")
        found[question.number] = question
    for index, question in found.items():
        partner = found.get(partner_of(index))
        if partner is None:
            raise UserError(
                f"{question.where}: Index {index} lacks its partner {partner_of(index)} among the "
                f"{len(found)} rows, but 2k - 1 and 2k make a pair"
            )
        _check_pair(question, partner)
    return [found[index] for index in sorted(found)]


def partner_of(index: int) -> int:
    """Return the other number of a pair: 2k for 2k − 1 and vice versa.

    >>> partner_of(1), partner_of(2), partner_of(279)
    (2, 1, 280)
    """
    return index + 1 if index % 2 else index - 1


def parse_options(text: str, where: str) -> list[str]:
    """Return the option texts of ``(a) … (b) …``; letters are consecutive from a, in either case.

    Raises
    ------
    UserError
        If the text has another form, an option is empty, or two options are equal.
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
    for name, first, second in (
        ("question", one.text, other.text),
        ("options", one.options, other.options),
    ):
        if "".join(first.split()).lower() != "".join(second.split()).lower():
            raise UserError(
                f"{one.where}: {name} {first!r} differs from {second!r} of its partner in "
                f"{other.where}"
            )
    if one.letter == other.letter:
        raise UserError(
            f"{one.where}: Correct Answer {one.letter} is also that of its partner in "
            f"{other.where}, so a model that sees no difference would be right"
        )
    if one.pattern != other.pattern:
        raise UserError(
            f"{one.where}: pattern {one.pattern!r} differs from {other.pattern!r} of its partner"
        )


def _read_patterns(path: Path) -> dict[int, str] | None:
    if not path.exists():
        return None
    records = read_csv(path)
    require(records, ("Index", "Type"), path)
    return {positive(r, "Index"): pattern_of(r.values["Type"], r.where) for r in records}
