"""Create the tables of questions and images from Stroop images.

Reads: the receipt ``acquired.json`` and, next to it, ``Stroop.csv``, ``words/``, ``concepts/`` and,
if it exists, ``Palette.csv``.
Writes: ``items.parquet`` (one row per image and prompt: task ``stroop`` for words, ``concept`` for
concept images) and ``images.parquet`` (labels ``word``, ``font``, ``background``; ``concept``).

The choices are the palette's names. Prompts are deliberately ambiguous, so the correct answer is a
convention: for a word image it is the font colour, as in Stroop's task (1935).

    python -m eyechart.data.layouts.stroop.prepare --dataset stroop --seed 7 \
        --receipt data/raw/stroop/acquired.json \
        --settings '{"splits": ["test"], "test_share": 1,
                     "prompts": ["Describe the color in this image in one word."]}' \
        --items results/datasets/stroop/items.parquet \
        --images results/datasets/stroop/images.parquet
"""

import json
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.layouts.stroop import layout
from eyechart.data.layouts.stroop.layout import StroopFiles, Word
from eyechart.data.preparation import Divide, Row
from eyechart.tables.items import LABEL

STROOP, CONCEPT = "stroop", "concept"
LABELS = (*layout.CUES, CONCEPT)
SIDE = 3  # positions of words are binned in a SIDE x SIDE grid


def place(word: Word, width: int, height: int) -> str | None:
    """Return a word's cell in the 3 x 3 grid, ``0`` to ``8`` by rows; None if unknown."""
    if word.x is None or word.y is None:
        return None
    cells = [
        min(SIDE - 1, int(SIDE * at / side)) for at, side in ((word.x, width), (word.y, height))
    ]
    return str(SIDE * cells[1] + cells[0])


def word_group(word: Word, width: int, height: int) -> str:
    """Return the group of a word: its typeface and grid cell or, if unknown, the image itself."""
    cell = place(word, width, height)
    if not word.typeface or cell is None:
        return layout.image_name(word.file)
    return f"typeface_{word.typeface}_place_{cell}"


def image_rows(root: Path, found: StroopFiles, split: str) -> list[Row]:
    """Return one row per image, without its hash, size and group.

    The type, to which the probes' control task assigns random labels, is the appearance without the
    word: font colour on background, or the concept's colour.
    """
    rows: list[Row] = []
    for word in found.words:
        cues = {f"{LABEL}{cue}": getattr(word, cue) for cue in layout.CUES}
        row = cues | {"file": word.file, "type": f"{word.font} on {word.background}"}
        rows.append(row | {f"{LABEL}{CONCEPT}": None, "word_row": word})
    for name, files in found.concepts.items():
        unsaid = dict.fromkeys((f"{LABEL}{cue}" for cue in layout.CUES), None)
        for file in files:
            row = unsaid | {"file": file, "type": name, f"{LABEL}{CONCEPT}": name}
            rows.append(row | {"word_row": None})
    seen: dict[str, str] = {}
    for row in rows:
        row["image_id"], row["split"] = layout.image_name(row["file"]), split
        row["path"] = (root / row["file"]).as_posix()
        other = seen.setdefault(row["image_id"], row["file"])
        if other != row["file"]:
            raise UserError(
                f"{root}: {row['file']!r} and {other!r} would both have the id "
                f"{row['image_id']!r}; rename one"
            )
    return rows


def add_groups(rows: list[Row], divide: Divide) -> None:
    """Add the group and group split to image rows with known sizes."""
    for row in rows:
        word = row["word_row"]
        same = word_group(word, row["width"], row["height"]) if word else row["image_id"]
        row["group"], row["group_split"] = same, divide(same)


def item_rows(images: list[Row], found: StroopFiles, prompts: list[str]) -> list[Row]:
    """Return one row per image and prompt.

    ``meta`` contains ``word, font, background, typeface, size_px, place, contrast`` for a word,
    ``rgb`` (sRGB of its colour, or null) for a concept image, and ``wording``, the number of the
    prompt, for both.
    """
    rows = []
    for image in images:
        about, word = _about(image, found), image["word_row"]
        shared = preparation.about(image) | {"choices": list(found.colors)}
        shared["task"] = STROOP if word else CONCEPT
        shared["answer"] = word.font if word else image[f"{LABEL}{CONCEPT}"]
        for number, prompt in enumerate(prompts):
            meta = json.dumps({**about, "wording": number}, ensure_ascii=False)
            row = {"item_id": f"{image['image_id']}_{number}", "prompt": prompt, "type": prompt}
            rows.append(shared | row | {"meta": meta})
    return rows


def check_prompts(prompts: Any, where: str) -> None:
    """Raise a UserError unless there is a list of different, non-empty prompts."""
    if not isinstance(prompts, list) or not prompts or not all(isinstance(p, str) for p in prompts):
        raise UserError(f"{where} is {prompts!r}, expected a list of at least one prompt")
    for prompt in prompts:
        if not prompt.strip() or prompts.count(prompt) > 1:
            fault = "occurs twice" if prompt.strip() else "is empty"
            raise UserError(f"{where}: the prompt {prompt!r} {fault}")


def _about(image: Row, found: StroopFiles) -> dict[str, Any]:
    word = image["word_row"]
    if word is None:
        return {"rgb": found.colors[image[f"{LABEL}{CONCEPT}"]]}
    keys = (*layout.CUES, "typeface", "size_px", "contrast")
    where = place(word, image["width"], image["height"])
    return {**{key: getattr(word, key) for key in keys}, "place": where}


@command
def main(args: preparation.Preparation) -> None:
    """Write both tables."""
    receipt, root = preparation.open_receipt(args, layout.NAME)
    (split,), divide = args.settings["splits"], preparation.divider(args)
    check_prompts(args.settings["prompts"], f"datasets.{args.dataset}.prompts")
    found = layout.read_dataset(root)
    rows = image_rows(root, found, split)
    preparation.add_image_facts(root, rows, receipt)
    add_groups(rows, divide)
    items = item_rows(rows, found, args.settings["prompts"])
    images = [{k: v for k, v in row.items() if k not in ("word_row", "file")} for row in rows]
    preparation.write_tables(args, [preparation.as_items(items)], images, list(LABELS))


if __name__ == "__main__":
    main()
