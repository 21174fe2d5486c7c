"""Render one shard of BLINK: four sub-tasks in turn, with their marks drawn into the images.

A split's count is the number of items of every sub-task. Writes
``shards/pictures/<split>_<Sub_Task>_<n>_<k>.jpg`` (and, if asked, ``truth/<split>/…_mask.png``,
``…_depth.png``, and ``…_plain.png`` without marks) under the root, then the shard's manifest. Every
item has its own seed, derived from seed, dataset, split, sub-task and number.

    python -m eyechart.rendering.datasets.blink.draw --dataset blink --split val --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/blink --output data/raw/blink/shards/val-000.json
"""

from typing import Any

from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.datasets.blink.items import SUB_TASKS, Item, draw_item
from eyechart.rendering.item_files import save_item

TASKS = tuple(SUB_TASKS)


def record(index: int, split: str, item: Item) -> dict[str, Any]:
    """Return the shard record of an item, without its images; ``idx`` counts from 1."""
    task, number = TASKS[index % len(TASKS)], index // len(TASKS) + 1
    return {
        "item": index,
        "split": split,
        "idx": f"{split}_{task}_{number}",
        "sub_task": task,
        "answer": item.answer,
        "points": [{n: list(spot) for n, spot in view.items()} for view in item.points],
        "facts": item.facts,
    }


def save(
    args: rendering_steps.Drawing, idx: str, item: Item
) -> tuple[list[str], list[dict[str, Any]]]:
    """Write the images of an item; return their paths from the root and manifest entries."""
    paths, files = [], []
    for n, (shown, view) in enumerate(zip(item.marked_images(), item.views, strict=True), start=1):
        paths.append(f"shards/pictures/{idx}_{n}.jpg")
        truth = f"truth/{args.split}/{idx}_{n}" if args.settings["truth"] else ""
        files += save_item(args.root, paths[-1], truth, shown, view.rgb, view.geometry)
    return paths, files


@command
def main(args: rendering_steps.Drawing) -> None:
    """Render the shard; write its manifest last."""
    files, items = [], []
    for index in rendering_steps.indices(args, times=len(TASKS)):
        task = TASKS[index % len(TASKS)]
        name = (args.seed, args.dataset, args.split, task, index // len(TASKS))
        item = draw_item(name, args.settings)
        entry = record(index, args.split, item)
        entry["pictures"], written = save(args, entry["idx"], item)
        files += written
        items.append(entry)
    write_json(args.output, {"files": files, "items": items})


if __name__ == "__main__":
    main()
