"""Convert rendered words and concepts to the layout ``stroop``: two small tables.

Reads the shards' manifests; writes ``Stroop.csv`` (one row per word image), ``Palette.csv``
(``name,red,green,blue``, sRGB) and, last, the receipt.

    python -m eyechart.rendering.datasets.stroop.write --dataset stroop --seed 7
        --settings '{"splits": {"test": 448}, "palette": "clevr"}'
        --shards data/raw/stroop/shards/test-000.json --root data/raw/stroop
        --output data/raw/stroop/acquired.json
"""

import csv
import io
from pathlib import Path
from typing import Any

from eyechart.core.files import write_text
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.datasets.stroop.palettes import palette
from eyechart.rendering.tables import only_split
from eyechart.tables.receipt import SplitCounts, write_receipt

WORDS = ("file", "word", "font", "background", "typeface", "size_px", "x", "y", "contrast")
PALETTE = ("name", "red", "green", "blue")


def write_csv(path: Path, header: tuple[str, ...], rows: list[list[Any]]) -> None:
    """Write a CSV table with a header, atomically."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    write_text(path, buffer.getvalue())


@command
def main(args: rendering_steps.Writing) -> None:
    """Write both tables, then the receipt."""
    split = only_split(args)
    colors = palette(args.settings["palette"], f"datasets.{args.dataset}.palette")
    files, images = rendering_steps.read_shards(args.shards, args.root, "pictures", order="number")
    rows = [[record[name] for name in WORDS] for record in images if "word" in record]
    tables = [args.root / "Stroop.csv", args.root / "Palette.csv"]
    write_csv(tables[0], WORDS, rows)
    write_csv(tables[1], PALETTE, [[name, *color] for name, color in colors.items()])
    write_receipt(
        args.root,
        dataset=args.dataset,
        layout="stroop",
        source="render",
        splits={split: SplitCounts(images=len(images), questions=0)},
        files=[*files, *tables],
    )


if __name__ == "__main__":
    main()
