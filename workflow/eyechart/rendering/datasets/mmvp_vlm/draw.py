"""Render one shard of MMVP-VLM: pairs of images, in a folder for each of the nine patterns.

Writes ``MLLM_VLM Images/<Type>/<id>.jpg`` (and, if requested, ``truth/<split>/<id>_mask.png`` and
``…_depth.png``) under the root, then the shard's manifest. Ids 2k - 1 and 2k form a pair; every
pair has its own seed, derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.mmvp_vlm.draw --dataset mmvp_vlm --split test --shard 0
        --settings JSON --seed 7 --root data/raw/mmvp_vlm
        --output data/raw/mmvp_vlm/shards/test-000.json
"""

from eyechart.core.step import command
from eyechart.rendering.datasets.mmvp.pairs import draw_shard
from eyechart.rendering.step_helpers import Drawing


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    draw_shard(args, "MLLM_VLM Images/{type}/{number}.jpg")


if __name__ == "__main__":
    main()
