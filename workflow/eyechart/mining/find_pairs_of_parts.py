"""Find CLIP-blind pairs with one image in one part of the images and the other in another part.

Reads the features from ``align_features``. Writes the table of ``find_pairs`` for these two parts.
Memory, in addition to Python and its libraries: at most ``search.memory_bound`` bytes.

    python -m eyechart.mining.find_pairs_of_parts --part 0 --other 1 --parts 4
        --features results/mining/tiny_clip_against_tiny_dino/clevr/features/images.parquet
        --settings '{"first": "connector/cls", "second": "vision.3/cls", "similar": 0.95,
                     "different": 0.6, "centre": false, "block": 2048, "most": 500}'
        --output results/mining/tiny_clip_against_tiny_dino/clevr/parts/000-001.parquet
"""

from pathlib import Path

from eyechart.core.step import Json, command
from eyechart.mining.features import Aligned
from eyechart.mining.results import write_pairs
from eyechart.mining.search import all_blocks, memory_bound, rows_of, search


@command
def main(
    *, features: Path, settings: Json, part: int, other: int, parts: int, output: Path
) -> None:
    """Search for pairs between the two parts and write their table."""
    aligned = Aligned.read(features.parent)
    first, second = (rows_of(len(aligned.ids), parts, one) for one in (part, other))
    rows = len(first) + (len(second) if other != part else 0)
    size = memory_bound(aligned.features, settings, rows)
    print(f"{len(first)} by {len(second)} images: at most {size / 1e6:.0f} MB")
    blocks = all_blocks(first, second, settings["block"])
    write_pairs(output, search(aligned.features, settings, blocks), aligned, settings)


if __name__ == "__main__":
    main()
