"""Create the tables of questions and images from MMVP in its official layout.

Reads: the receipt ``acquired.json`` and, next to it, ``Questions.csv``, ``MMVP Images/`` and, if
it exists, ``Patterns.csv``.
Writes: ``items.parquet`` (one row per question) and ``images.parquet`` (one row per image).

The setting ``corrections`` swaps the answers of two pairs, Index 99 and 100 (the elephant's
tusks), 279 and 280 (the elderly person's posture). Users reported both to the authors, who have not
replied: issue #14 of MMVP (2024) cites the rows 279 and 280 of the CSV, #30 (2026) adds 99 and
100. lmms-eval's audit (#1018, January 2026) counts rows from 0. It first changed one label of each
pair, rows 99 and 279, which are Index 100 and 280 (#1028), so both images of a pair had the same
answer. It was later revised to swap all four (README of its MMVP task, #1210, March 2026), as is
done here. The images were not inspected for eyechart.

    python -m eyechart.data.layouts.mmvp.prepare --dataset mmvp \
        --receipt data/raw/mmvp/acquired.json \
        --settings '{"splits": ["test"], "test_share": 1, "corrections": true}' --seed 7 \
        --items results/datasets/mmvp/items.parquet \
        --images results/datasets/mmvp/images.parquet
"""

import json
import logging
from typing import NamedTuple

from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.mmvp import layout
from eyechart.data.layouts.mmvp.layout import MmvpQuestion
from eyechart.data.layouts.pairs import image_name, image_rows, item_row
from eyechart.data.preparation import Divide, Row

log = logging.getLogger(__name__)


class Correction(NamedTuple):
    """Correction of one label: words in the question, the released and the correct letter."""

    words: tuple[str, ...]
    released: str
    right: str


# By the Index column, which starts at 1; see the module docstring
CORRECTIONS = {
    99: Correction(("elephant", "tusks"), "Long", "Short"),
    100: Correction(("elephant", "tusks"), "Short", "Long"),
    279: Correction(("elderly person", "standing", "sitting"), "Standing", "Sitting"),
    280: Correction(("elderly person", "standing", "sitting"), "Sitting", "Standing"),
}


def corrected_answer(question: MmvpQuestion) -> str | None:
    """Return the correct answer if the published corrections change it, otherwise None.

    Only the official question with its released answer is changed. Other datasets in this layout,
    such as rendered ones, and copies that are already corrected stay unchanged.
    """
    known = CORRECTIONS.get(question.number)
    if known is None or not all(word in question.text.lower() for word in known.words):
        return None
    if question.answer != known.released or known.right not in question.choices:
        return None
    return known.right


def item_rows(
    questions: list[MmvpQuestion], split: str, divide: Divide, corrections: bool
) -> list[Row]:
    """Return one row per question; the pair is the group.

    ``meta`` contains the official ``index``, ``options`` and released letter (``official``),
    whether ``corrections`` were requested, and whether this answer was ``corrected``.
    """
    rows = []
    for question in questions:
        changed = corrected_answer(question) if corrections else None
        meta = {
            "index": question.number,
            "options": question.options,
            "official": question.letter,
            "corrections": corrections,
            "corrected": changed is not None,
        }
        own = {
            "item_id": f"question_{question.number:03d}",
            "images": [image_name(question.number)],
            "choices": question.choices,
            "answer": question.answer if changed is None else changed,
            "meta": json.dumps(meta, ensure_ascii=False),
        }
        rows.append(item_row(question, split, divide) | own)
    return rows


@command
def main(args: preparation.Preparation) -> None:
    """Write both tables."""
    receipt, root = preparation.open_receipt(args, layout.NAME)
    (split,), divide = args.settings["splits"], preparation.divider(args)
    questions = layout.read_questions(root)
    items = item_rows(questions, split, divide, args.settings["corrections"])
    paths = [root / layout.image_path(root, question) for question in questions]
    images = image_rows(questions, paths, split, divide)
    preparation.add_image_facts(root, images, receipt)
    preparation.write_tables(args, [preparation.as_items(items)], images, [])
    changed = [row["item_id"] for row in items if json.loads(row["meta"])["corrected"]]
    log.info("labels corrected: %s", ", ".join(changed) or "none")


if __name__ == "__main__":
    main()
