"""Convert rendered words and concepts to the layout ``stroop``: two small tables.

Reads the shards' manifests; writes ``Stroop.csv`` (one row per word image), ``Palette.csv``
(``name,red,green,blue``, sRGB) and, last, the receipt.

    python -m eyechart.rendering.datasets.stroop.write --dataset stroop --seed 7
        --settings '{"splits": {"test": 448}, "palette": "clevr"}'
        --shards data/raw/stroop/shards/test-000.json --root data/raw/stroop
        --output data/raw/stroop/acquired.json
"""

import argparse

from eyechart.core import errors
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.datasets.stroop.palettes import palette
from eyechart.rendering.steps import finish, only_split, read_shards, write_csv

WORDS = ("file", "word", "font", "background", "typeface", "size_px", "x", "y", "contrast")
PALETTE = ("name", "red", "green", "blue")


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; every flag is required."""
    return rendering_steps.writing_args(__doc__, argv)


def main(argv: list[str]) -> None:
    """Write both tables, then the receipt."""
    args = parse_args(argv)
    split = only_split(args)
    colors = palette(args.settings["palette"], f"datasets.{args.dataset}.palette")
    files, images = read_shards(args.shards, args.root, "images", order="number")
    rows = [[record[name] for name in WORDS] for record in images if "word" in record]
    files.append(write_csv(args.root / "Stroop.csv", WORDS, rows))
    listed = [[name, *color] for name, color in colors.items()]
    files.append(write_csv(args.root / "Palette.csv", PALETTE, listed))
    finish(args, "stroop", {split: (len(images), 0)}, files)


if __name__ == "__main__":
    errors.run(main)
