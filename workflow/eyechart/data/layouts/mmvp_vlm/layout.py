"""The on-disk layout of MMVP-VLM: ``Questions.csv`` and ``MLLM_VLM Images/<Type>/<id>.jpg``.

The authors' script expects ``MLLM_VLM Images``, their README ``MMVP_VLM_Images``; both are
accepted. The script assigns pairs and patterns by row position; here ``Question ID`` and ``Type``
count, so rows may be in any order.

Source: evaluate_vlm.py of the authors (Tong et al., CVPR 2024).
"""

import re
from pathlib import Path
from typing import NamedTuple

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import within_top
from eyechart.data.layouts.mmvp import layout as mmvp_layout
from eyechart.data.layouts.mmvp.layout import folder, partner_of
from eyechart.data.layouts.mmvp.tasks import pattern_of
from eyechart.data.records import Record, positive, read_csv, require
from eyechart.tables import receipt

NAME = "mmvp_vlm"
TOPS = ("MMVP_VLM", "")  # possible top folders of an archive
RELEASED = None  # no splits, as in MMVP: the only one may have any name
QUESTIONS = "Questions.csv"
FOLDERS = ("MLLM_VLM Images", "MMVP_VLM_Images")
COLUMNS = ("Question ID", "Type", "Statement")


class Statement(NamedTuple):
    """One row of ``Questions.csv``; the statement is true of the image with its number."""

    where: str
    number: int
    kind: str
    text: str
    pattern: str


def member(name: str, splits: list[str]) -> str | None:
    """Return an archive member's path in the dataset's folder, or None if it is not needed."""
    path = within_top(name, TOPS)
    folders = "|".join(map(re.escape, FOLDERS))
    needed = path == QUESTIONS or re.fullmatch(rf"({folders})/[^/]+/[0-9]+\.jpg", path)
    return path if needed else None


def check_released(splits: list[str]) -> None:
    """Raise a UserError for more than one split: all statements are one split."""
    mmvp_layout.check_one(splits, NAME)


def image_path(root: Path, statement: Statement) -> str:
    """Return the path of a statement's own image in the dataset's folder."""
    top = folder(root, FOLDERS)
    kinds = (statement.kind, statement.kind.replace("_", " "), statement.kind.replace(" ", "_"))
    there = [kind for kind in kinds if (Path(root) / top / kind).is_dir()]
    return f"{top}/{(there or kinds)[0]}/{statement.number}.jpg"


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Return the counts of the only split, and all files relative to ``root``.

    Raises
    ------
    UserError
        If the statements cannot be read (see :func:`read_statements`), or an image is missing.
    """
    check_released(splits)
    files = [QUESTIONS]
    for statement in read_statements(root):
        name = image_path(root, statement)
        if not (Path(root) / name).is_file():
            raise UserError(f"{Path(root) / name}: no such image, but {statement.where} needs it")
        files.append(name)
    counts = receipt.SplitCounts(images=len(files) - 1, questions=len(files) - 1)
    return {splits[0]: counts}, [Path(file) for file in files]


def read_statements(root: Path) -> list[Statement]:
    """Read the statements, sorted by ``Question ID``; 2k − 1 and 2k are a pair.

    Raises
    ------
    UserError
        If a column is missing, a cell cannot be read, an id is duplicated or lacks its
        partner, or the two rows of a pair have different Types.
    """
    path = Path(root) / QUESTIONS
    records = read_csv(path, strict=False)  # as lenient with quotes as the authors' reader
    require(records, COLUMNS, path)
    found: dict[int, Statement] = {}
    for record in records:
        statement = _statement(record)
        if statement.number in found:
            earlier = found[statement.number].where
            raise UserError(
                f"{record.where}: Question ID {statement.number} is already in {earlier}"
            )
        found[statement.number] = statement
    for number, statement in found.items():
        partner = found.get(partner_of(number))
        if partner is None:
            raise UserError(
                f"{statement.where}: Question ID {number} lacks its partner {partner_of(number)} "
                f"among the {len(found)} rows, but 2k - 1 and 2k make a pair"
            )
        if partner.kind != statement.kind:
            raise UserError(
                f"{statement.where}: Type {statement.kind!r} differs from {partner.kind!r} of its "
                f"partner in {partner.where}"
            )
    return [found[number] for number in sorted(found)]


def _statement(record: Record) -> Statement:
    values = record.values
    if not values["Statement"]:
        raise UserError(f"{record.where}: Statement is empty")
    kind = values["Type"]
    pattern = pattern_of(kind, record.where)
    if Path(kind).name != kind:  # a folder name: it must not lead out of the dataset's folder
        raise UserError(f"{record.where}: Type is {kind!r}, expected a plain folder name")
    return Statement(
        where=record.where,
        number=positive(record, "Question ID"),
        kind=kind,
        text=values["Statement"],
        pattern=pattern,
    )
