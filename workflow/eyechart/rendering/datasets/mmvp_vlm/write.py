"""Convert rendered pairs to the official MMVP-VLM layout: one statement for each image.

Reads the shards' manifests; writes ``Questions.csv`` (``Question ID,Type,Statement``) and, last,
the receipt. A statement is true of its own image and false of the other.

    python -m eyechart.rendering.datasets.mmvp_vlm.write --dataset mmvp_vlm --settings JSON --seed 7
        --shards data/raw/mmvp_vlm/shards/test-000.json --root data/raw/mmvp_vlm
        --output data/raw/mmvp_vlm/acquired.json
"""

from typing import Any

from eyechart.core.step import command
from eyechart.rendering.datasets.mmvp import wordings
from eyechart.rendering.datasets.mmvp.patterns import TYPES, numbers
from eyechart.rendering.step_helpers import Writing, finish, only_split, read_shards, write_csv

STATEMENTS = ("Question ID", "Type", "Statement")


def statement_rows(record: dict[str, Any]) -> list[list[Any]]:
    """Return the two rows of a pair: one statement per image."""
    kind = TYPES[record["pattern"]]
    return [
        [number, kind, wordings.statement(record, answer)]
        for number, answer in zip(numbers(record["pair"]), record["answers"], strict=True)
    ]


@command
def main(args: Writing) -> None:
    """Write the statements, then the receipt."""
    files, pairs = read_shards(args.shards, args.root, "pairs", order="pair")
    rows = [row for pair in pairs for row in statement_rows(pair)]
    files.append(write_csv(args.root / "Questions.csv", STATEMENTS, rows))
    finish(args, "mmvp_vlm", {only_split(args): (len(rows), len(rows))}, files)


if __name__ == "__main__":
    main()
