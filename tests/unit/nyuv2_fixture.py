"""A miniature of NYU Depth V2: labelled images in HDF5, and splits in an older MATLAB format."""

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

COUNT, WIDTH, HEIGHT = 6, 20, 14
TRAIN, TEST = [1, 2, 4], [3, 5, 6]
SCENES = ["kitchen_0001", "kitchen_0001", "office_0002", "bath_0003", "office_0002", "den_0004"]


def shots() -> tuple[np.ndarray, np.ndarray]:
    """Return images, shape (n, h, w, 3), and depths in metres, shape (n, h, w)."""
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3), dtype=np.uint8)
    depths = rng.uniform(0.7, 9.9, (COUNT, HEIGHT, WIDTH)).astype(np.float32)
    depths[0, 0, :3] = (0.0, np.nan, 99.0)
    return images, depths


def write_mat(path: Path, images: np.ndarray, depths: np.ndarray) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:  # where MATLAB stores its own header
        file["images"] = images.transpose(0, 3, 2, 1)
        file["depths"] = depths.transpose(0, 2, 1)
        names = file.create_group("#refs#")
        refs = file.create_dataset("scenes", (1, len(images)), h5py.ref_dtype)
        for number in range(len(images)):
            letters = np.array([[ord(c)] for c in SCENES[number]], np.uint16)
            refs[0, number] = names.create_dataset(f"s{number}", data=letters).ref
    with open(path, "r+b") as handle:
        handle.write(b"MATLAB 7.3 MAT-file".ljust(116))


def make_nyuv2(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    write_mat(root / "nyu_depth_v2_labeled.mat", *shots())
    write_splits(root, TRAIN, TEST)
    return root


def write_splits(root: Path, train: list[int], test: list[int]) -> None:
    numbers = {"trainNdxs": np.array(train)[:, None], "testNdxs": np.array(test)[:, None]}
    savemat(root / "splits.mat", numbers)
