"""Write both encoders' features of the same images as memory-mapped files shared by jobs.

Reads the activations (scope image) of two encoders and the dataset's images. Writes ``first.npy``
and ``second.npy`` next to the output: float32, rows of unit length, 4 n (d₁ + d₂) bytes in total.

    python -m eyechart.mining.align_features
        --first results/extraction/tiny_clip/clevr/image/manifest.json
        --second results/extraction/tiny_dino/clevr/image/manifest.json
        --images results/datasets/clevr/images.parquet
        --settings '{"first": "connector/cls", "second": "vision.3/cls", "centre": false}'
        --output results/mining/tiny_clip_against_tiny_dino/clevr/features/images.parquet
"""

from pathlib import Path

from eyechart.core.step import Json, command
from eyechart.mining.features import align


@command
def main(*, first: Path, second: Path, images: Path, settings: Json, output: Path) -> None:
    """Write both feature files and, last, the table of image ids."""
    align((first, second), images, settings, output.parent)


if __name__ == "__main__":
    main()
