"""The on-disk layout of MMVP-VLM: ``Questions.csv`` and ``MLLM_VLM Images/<Type>/<id>.jpg``.

The authors' script expects ``MLLM_VLM Images``, their README ``MMVP_VLM_Images``. These and two
more spellings used in copies are accepted. The script assigns pairs and patterns by row position.
Here ``Question ID`` and ``Type`` are used, so rows may be in any order.

Source: evaluate_vlm.py of the authors (Tong et al., CVPR 2024).
"""

from dataclasses import dataclass
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import Inventory
from eyechart.data.layouts.mmvp.tasks import pattern_of
from eyechart.data.layouts.pairs import QUESTIONS, PairedRow, folder, inventory_of, read_paired
from eyechart.data.records import Record, positive

NAME = "mmvp_vlm"
TOPS = ("MMVP_VLM", "")  # possible top folders of an archive
FILES = (r"Questions\.csv", r"(MLLM|MMVP)[ _]VLM[ _]Images/[^/]+/[0-9]+\.jpg")
RELEASED = None
FOLDERS = ("MLLM_VLM Images", "MMVP_VLM_Images", "MLLM_VLM_Images", "MMVP VLM Images")
COLUMNS = ("Question ID", "Type", "Statement")


@dataclass(frozen=True)
class Statement(PairedRow):
    """One statement, which is true of the image with the same number; ``kind`` is its Type."""

    kind: str


def image_path(root: Path, statement: Statement) -> str:
    """Return the path of a statement's own image in the dataset's folder."""
    top = folder(root, FOLDERS)
    kinds = (statement.kind, statement.kind.replace("_", " "), statement.kind.replace(" ", "_"))
    there = [kind for kind in kinds if (root / top / kind).is_dir()]
    return f"{top}/{(there or kinds)[0]}/{statement.number}.jpg"


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts of the only split, and all files relative to ``root``."""
    statements = read_statements(root)
    images = [image_path(root, statement) for statement in statements]
    return inventory_of(root, splits[0], statements, images, [QUESTIONS])


def read_statements(root: Path) -> list[Statement]:
    """Read the statements, sorted by ``Question ID``.

    Raise a UserError if they cannot be read, or the two rows of a pair have different Types.
    """
    return read_paired(root, COLUMNS, _statement, _check_pair)


def _check_pair(one: Statement, partner: Statement) -> None:
    if partner.kind != one.kind:
        raise UserError(
            f"{one.where}: Type {one.kind!r} differs from {partner.kind!r} of its partner in "
            f"{partner.where}"
        )


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
