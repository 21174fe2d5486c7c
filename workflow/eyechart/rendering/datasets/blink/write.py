"""Convert rendered items to BLINK's official layout: a folder with a Parquet file per sub-task.

Reads the shards' manifests and images; writes ``<Sub_Task>/<split>-00000-of-00001.parquet``,
``Points.csv`` (``idx,name,x,y``: pixel positions of the marks, which the official files lack) and,
last, the receipt.

    python -m eyechart.rendering.datasets.blink.write --dataset blink --settings JSON --seed 7
        --shards data/raw/blink/shards/val-000.json --root data/raw/blink
        --output data/raw/blink/acquired.json
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart.core.step import command
from eyechart.rendering.datasets.blink.items import SUB_TASKS
from eyechart.rendering.step_helpers import IMAGE, Writing, embedded, finish, read_shards, write_csv
from eyechart.tables.parquet import write_table

MOST_IMAGES = 4
SCHEMA = pa.schema(
    [
        ("idx", pa.string()),
        ("question", pa.string()),
        ("sub_task", pa.string()),
        *((f"image_{n}", IMAGE) for n in range(1, MOST_IMAGES + 1)),
        ("choices", pa.list_(pa.string())),
        ("answer", pa.string()),
        ("prompt", pa.string()),
        ("explanation", pa.string()),
    ]
)
POINTS = ("idx", "name", "x", "y")
MATCHING = "Which point is corresponding to the reference point?"
MARKED = (
    "A point is circled on the first image, labeled with REF. Several points are circled on the "
    "second image, labeled with A, B, C, D. "
)
QUESTIONS = {
    "Semantic_Correspondence": (MATCHING, f"{MARKED}Which of them is on the same part?"),
    "Functional_Correspondence": (MATCHING, f"{MARKED}Which of them is on the part that does the "
                                            "same?"),
    "Visual_Correspondence": (MATCHING, f"{MARKED}Which of them is the same point of the scene?"),
    "Art_Style": ("Which image is in the style of the first image?",
                  "Which image is in the style of the first image, the second or the third?"),
}  # fmt: skip


def choices(task: str) -> list[str]:
    """Return the choices of a sub-task, in the official wording."""
    if task == "Art_Style":
        return ["the second image", "the third image"]
    return [f"Point {letter}" for letter in "ABCD"]


def row(record: dict[str, Any], root: Path) -> dict[str, Any]:
    """Return one item's row in the official table."""
    question, instruction = QUESTIONS[record["sub_task"]]
    options = choices(record["sub_task"])
    listed = "".join(f"\n({'ABCD'[n]}) {option}" for n, option in enumerate(options))
    shown: list[dict[str, Any] | None] = [embedded(root, path) for path in record["images"]]
    shown += [None] * (MOST_IMAGES - len(shown))
    return {
        "idx": record["idx"],
        "question": question,
        "sub_task": record["sub_task"],
        **{f"image_{n}": image for n, image in enumerate(shown, start=1)},
        "choices": options,
        "answer": f"({record['answer']})",
        "prompt": f"{instruction}\nSelect from the following choices.{listed}",
        "explanation": "",
    }


def point_rows(record: dict[str, Any]) -> list[list[Any]]:
    """Return an item's rows of ``Points.csv``: REF, then the letters; none for style items."""
    named = {name: spot for view in record["points"] for name, spot in view.items()}
    order = sorted(named, key=lambda name: (name != "REF", name))
    return [[record["idx"], name, *(round(x, 4) for x in named[name])] for name in order]


@command
def main(args: Writing) -> None:
    """Write the Parquet tables and ``Points.csv``, then the receipt."""
    files, records = read_shards(args.shards, args.root, "items", order="item")
    splits: dict[str, tuple[int, int]] = {}
    for split in args.settings["splits"]:
        mine = [record for record in records if record["split"] == split]
        drawn = {record["sub_task"] for record in mine}
        for task in filter(drawn.__contains__, SUB_TASKS):
            rows = [row(record, args.root) for record in mine if record["sub_task"] == task]
            files.append(args.root / task / f"{split}-00000-of-00001.parquet")
            write_table(files[-1], pa.Table.from_pylist(rows, schema=SCHEMA))
        splits[split] = (sum(len(record["images"]) for record in mine), len(mine))
    points = [point for record in records for point in point_rows(record)]
    files.append(write_csv(args.root / "Points.csv", POINTS, points))
    finish(args, "blink", splits, files)


if __name__ == "__main__":
    main()
