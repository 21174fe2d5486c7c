"""A miniature of HPatches: sequences of six images, warped by homographies or dimmed."""

from pathlib import Path

import numpy as np
from PIL import Image
from skills_fixture import photo

SIZE = (96, 72)


def homography(number: int) -> np.ndarray:
    """Return the homography of pixel indices from the first image to another."""
    tilt = 0.0004 * number
    return np.array([[1 + 0.02 * number, 0.03, 2.0 * number], [-0.02, 1.0, 1.5], [tilt, 0, 1.0]])


def warp(image: Image.Image, matrix: np.ndarray) -> Image.Image:
    inverse = np.linalg.inv(matrix)
    # PIL expects the source of a pixel's centre in continuous coordinates
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    inverse = shift @ inverse @ np.linalg.inv(shift)
    data = tuple((inverse / inverse[2, 2]).ravel()[:8])
    return image.transform(image.size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BICUBIC)


def write_homography(path: Path, matrix: np.ndarray) -> None:
    path.write_text("\n".join(" ".join(f"{value:.8g}" for value in row) for row in matrix) + "\n")


def make_hpatches(root: Path) -> Path:
    """Write a sequence with changing viewpoints and one with changing illumination."""
    for seed, name in enumerate(("v_wall", "i_dome"), 1):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        first = photo(*SIZE, seed)
        first.save(folder / "1.ppm")
        for number in range(2, 7):
            matrix = homography(number) if name[0] == "v" else np.eye(3)
            other = (
                warp(first, matrix) if name[0] == "v" else first.point(lambda v, n=number: v // n)
            )
            other.save(folder / f"{number}.ppm")
            write_homography(folder / f"H_1_{number}", matrix)
    return root
