"""Write mined pairs as a form to fill in, with the columns of MMVP's Questions.csv.

Rows 1 and 2 are the two images of the best pair, 3 and 4 those of the next, as in MMVP. Question,
Options ("(a) … (b) …") and Correct Answer ("(a)") are left empty for a person to fill in; Image,
which MMVP does not have, is the path of the row's image.

    python -m eyechart.mining.export_labels
        --pairs results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet
        --images results/datasets/clevr/images.parquet
        --output results/mining/tiny_clip_against_tiny_dino/clevr/labels.csv
"""

import argparse
import csv
import io
from pathlib import Path

import pyarrow as pa

from eyechart.core import errors
from eyechart.core.errors import UserError
from eyechart.core.files import write_text
from eyechart.tables.parquet import read_table

COLUMNS = ["Index", "Question", "Options", "Correct Answer", "Image"]


def rows(pairs: pa.Table, paths: dict[str, str]) -> list[list[str]]:
    """Return a row per image: its index, three empty fields, its path."""
    ids = [pair[side] for pair in pairs.to_pylist() for side in ("first_id", "second_id")]
    return [[str(index), "", "", "", paths[name]] for index, name in enumerate(ids, start=1)]


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; every flag is required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    for name in ("pairs", "images", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Write one form."""
    args = parse_args(argv)
    table = read_table(args.images, ["image_id", "path"]).to_pydict()
    paths = dict(zip(table["image_id"], table["path"], strict=True))
    pairs = read_table(args.pairs, ["first_id", "second_id"])
    try:
        filled = rows(pairs, paths)
    except KeyError as error:
        raise UserError(
            f"{args.pairs}: image {error} is not in {args.images}; mine it again"
        ) from None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *filled])
    write_text(args.output, text.getvalue())


if __name__ == "__main__":
    errors.run(main)
