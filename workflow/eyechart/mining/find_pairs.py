"""Find CLIP-blind pairs: images that one encoder finds similar and another different.

Reads the activations (scope image) of two encoders and the dataset's images. Writes one row per
pair, widest gap first; the table's metadata hold the settings and the number of matching pairs.
Source: Tong et al. 2024 (Eyes Wide Shut): cosine > 0.95 in CLIP, < 0.6 in DINOv2.

Memory, in addition to Python and its libraries: at most ``search.memory_bound`` bytes, and one row
group of one column. The features, 4 n (d₁ + d₂) of these bytes, are temporary memory-mapped files
next to the output.

    python -m eyechart.mining.find_pairs
        --first results/extraction/tiny_clip/clevr/image/manifest.json
        --second results/extraction/tiny_dino/clevr/image/manifest.json
        --images results/datasets/clevr/images.parquet
        --settings '{"first": "connector/cls", "second": "vision.3/cls", "similar": 0.95,
                     "different": 0.6, "centre": false, "block": 2048, "most": 500,
                     "engine": "exact", "recall": 0.99}'
        --output results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet
"""

from pathlib import Path

from eyechart.core.files import temporary_folder
from eyechart.core.step import Json, command
from eyechart.mining.features import Aligned, align
from eyechart.mining.results import write_pairs
from eyechart.mining.search import memory_bound, not_in_order, search


@command
def main(*, first: Path, second: Path, images: Path, settings: Json, output: Path) -> None:
    """Search for pairs and write their table."""
    with temporary_folder(output.parent) as folder:
        align((first, second), images, settings, folder)
        aligned, recall = Aligned.read(folder), None
        size = memory_bound(aligned.features, settings)
        blocks, left_out = None, not_in_order
        if settings["engine"] == "faiss":
            from eyechart.mining.cells import divide  # noqa: PLC0415  (takes long to load)

            cells = divide(aligned.features[0], settings["similar"], settings["recall"])
            size += cells.memory_bound(aligned.features[0].shape[1])
            blocks, left_out = cells.blocks(settings["block"]), cells.left_out
            recall = cells.note
        print(f"{len(aligned.ids)} images: at most {size / 1e6:.0f} MB")
        found = search(aligned.features, settings, blocks, left_out)
        write_pairs(output, found, aligned, settings, recall)


if __name__ == "__main__":
    main()
