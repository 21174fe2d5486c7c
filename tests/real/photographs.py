"""Real photographs as datasets: scenes of four crops with their boxes, and oblique views."""

import csv

import numpy as np
from hpatches_fixture import homography, warp, write_homography
from PIL import Image
from sklearn.datasets import load_sample_image

from eyechart.core.randomness import generator

SIDE = 112  # pixels; a scene has four crops
FILES = {"astronaut": "astronaut.png", "cat": "chelsea.png", "coffee": "coffee.png"}
FILES |= {"motorcycle": "motorcycle_left.png", "rocket": "rocket.jpg"}
SHOWN = (*FILES, "temple")  # the last photograph is from scikit-learn


def photograph(folder, name):
    """Return a photograph in RGB."""
    if name == "temple":
        return Image.fromarray(load_sample_image("china.jpg"))
    return Image.open(folder / FILES[name]).convert("RGB")


def write_scenes(folder, photographs, count=60):
    """Write scenes of four crops from different photographs, with a question about each crop."""
    folder.mkdir()
    draw = generator("scenes", 7)
    images = {name: photograph(photographs, name) for name in SHOWN}
    rows = []
    for n in range(count):
        scene = Image.new("RGB", (2 * SIDE, 2 * SIDE))
        names = draw.choice(SHOWN, 4, replace=False)
        for quarter, name in enumerate(names):
            left, top = SIDE * (quarter % 2), SIDE * (quarter // 2)
            scene.paste(crop(images[name], draw), (left, top))
            box = [left + 16, top + 16, left + SIDE - 16, top + SIDE - 16]
            with_cat = "yes" if "cat" in names else "no"
            rows.append(
                [f"{n}.png", "Which is it?", "|".join(SHOWN), name, "thing", *box, with_cat]
            )
        scene.save(folder / f"{n}.png")
    with (folder / "scenes.csv").open("w", newline="") as file:
        head = ["image", "prompt", "choices", "answer", "task", "left", "top", "right", "bottom"]
        csv.writer(file).writerows([[*head, "cat"], *rows])


def crop(image, draw):
    """Return a random square crop of a photograph, 0.6 times as wide as its short side."""
    side = int(0.6 * min(image.size))
    left, top = (int(draw.integers(0, length - side)) for length in image.size)
    return image.crop((left, top, left + side, top + side)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )


def write_views(folder, photographs, names=("astronaut", "motorcycle", "temple")):
    """Write photographs, and five views of each, in HPatches' layout with their homographies."""
    for name in names:
        sequence = folder / f"v_{name}"
        sequence.mkdir(parents=True)
        first = photograph(photographs, name).resize((360, 360), Image.Resampling.BICUBIC)
        first.save(sequence / "1.ppm")
        scale = np.diag([3.75, 5.0, 1.0])  # the homographies are for images of 96 × 72 pixels
        for number in range(2, 7):
            matrix = scale @ homography(number) @ np.linalg.inv(scale)
            warp(first, matrix).save(sequence / f"{number}.ppm")
            write_homography(sequence / f"H_1_{number}", matrix)
