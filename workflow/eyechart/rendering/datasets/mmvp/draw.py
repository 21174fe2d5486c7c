"""Render one shard of MMVP: pairs of images that differ in one of the nine patterns.

Writes ``MMVP Images/<n>.jpg`` (and, if requested, ``truth/<split>/<n>_mask.png`` and
``…_depth.png``) under the root, then the shard's manifest. Images 2k - 1 and 2k form a pair; every
pair has its own seed, derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.mmvp.draw --dataset mmvp --split test --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/mmvp --output data/raw/mmvp/shards/test-000.json
"""

from eyechart.core.step import command
from eyechart.rendering.datasets.mmvp.pairs import draw_shard
from eyechart.rendering.step_helpers import Drawing


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    draw_shard(args, "MMVP Images/{number}.jpg")


if __name__ == "__main__":
    main()
