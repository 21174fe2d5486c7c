"""Convert rendered words and concepts to the layout ``stroop``: two small tables.

Reads the shards' manifests; writes ``Stroop.csv`` (one row per word image), ``Palette.csv``
(``name,red,green,blue``, sRGB) and, last, the receipt.

    python -m eyechart.rendering.datasets.stroop.write --dataset stroop --seed 7
        --settings '{"splits": {"test": 448}, "palette": "clevr"}'
        --shards data/raw/stroop/shards/test-000.json --root data/raw/stroop
        --output data/raw/stroop/acquired.json
"""

from eyechart.core.step import command
from eyechart.rendering.datasets.stroop.palettes import palette
from eyechart.rendering.step_helpers import Writing, finish, only_split, read_shards, write_csv

WORDS = ("file", "word", "font", "background", "typeface", "size_px", "x", "y", "contrast")
PALETTE = ("name", "red", "green", "blue")


@command
def main(args: Writing) -> None:
    """Write both tables, then the receipt."""
    split = only_split(args)
    colors = palette(args.settings["palette"], f"datasets.{args.dataset}.palette")
    files, images = read_shards(args.shards, args.root, "images", order="number")
    rows = [[record[name] for name in WORDS] for record in images if "word" in record]
    files.append(write_csv(args.root / "Stroop.csv", WORDS, rows))
    listed = [[name, *color] for name, color in colors.items()]
    files.append(write_csv(args.root / "Palette.csv", PALETTE, listed))
    finish(args, "stroop", {split: (len(images), 0)}, files)


if __name__ == "__main__":
    main()
