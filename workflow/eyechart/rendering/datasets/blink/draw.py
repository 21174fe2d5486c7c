"""Render one shard of BLINK: the sub-tasks listed in ``skills``, in turn, with marked images.

A split's count is the number of items per sub-task. Writes
``shards/images/<split>_<Sub_Task>_<n>_<k>.jpg`` (and, if requested, ``truth/<split>/…_mask.png``,
``…_depth.png``, and ``…_plain.png`` without marks) under the root, then the shard's manifest. Every
item has its own seed, derived from seed, dataset, split, sub-task and number.

    python -m eyechart.rendering.datasets.blink.draw --dataset blink --split val --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/blink --output data/raw/blink/shards/val-000.json
"""

from eyechart.core.step import command
from eyechart.data.canvas.tasks import BLINK
from eyechart.rendering.datasets.blink.items import SUB_TASKS, draw_item
from eyechart.rendering.drawing import Item, draw_items
from eyechart.rendering.step_helpers import Drawing


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    tasks = [task for task in SUB_TASKS if BLINK[task] in args.settings["skills"]]

    def draw(index: int) -> Item:
        number, task = divmod(index, len(tasks))
        return draw_item((args.seed, args.dataset, args.split, tasks[task], number), args.settings)

    draw_items(args, draw, "jpg", times=len(tasks))


if __name__ == "__main__":
    main()
