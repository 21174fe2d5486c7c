"""Write mined pairs as a form to fill in, with the columns of MMVP's Questions.csv and Image.

As in MMVP, rows 1 and 2 are the images of the best pair, and rows 3 and 4 those of the next.
Question, Options ("(a) … (b) …") and Correct Answer ("(a)") are left empty for a person to fill in;
Image, which MMVP does not have, is the path of the row's image.

    python -m eyechart.mining.export_labels
        --pairs results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet
        --images results/datasets/clevr/images.parquet
        --output results/mining/tiny_clip_against_tiny_dino/clevr/labels.csv
"""

import csv
import io
from pathlib import Path

import pyarrow as pa

from eyechart.core.errors import UserError
from eyechart.core.files import cell, write_text
from eyechart.core.step import command
from eyechart.tables.parquet import read_table

COLUMNS = ["Index", "Question", "Options", "Correct Answer", "Image"]


def rows(pairs: pa.Table, paths: dict[str, str]) -> list[list[str]]:
    """Return one row per image: its index, three empty fields and its path."""
    ids = [pair[side] for pair in pairs.to_pylist() for side in ("first_id", "second_id")]
    return [[str(index), "", "", "", cell(paths[name])] for index, name in enumerate(ids, start=1)]


@command
def main(*, pairs: Path, images: Path, output: Path) -> None:
    """Write the form."""
    table = read_table(images, ["image_id", "path"]).to_pydict()
    paths = dict(zip(table["image_id"], table["path"], strict=True))
    found = read_table(pairs, ["first_id", "second_id"])
    try:
        filled = rows(found, paths)
    except KeyError as error:
        raise UserError(f"{pairs}: image {error} is not in {images}; mine pairs again") from None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *filled])
    write_text(output, text.getvalue())


if __name__ == "__main__":
    main()
