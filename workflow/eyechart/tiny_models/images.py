"""Load the training images and their texts from the official CLEVR layout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eyechart.core.files import read_json
from eyechart.data.layouts.clevr.tasks import CAPTION, DESCRIBE
from eyechart.data.open_image import open_image

MEAN, STD = 0.5, 0.25  # per colour channel; the image processors use the same values


@dataclass(frozen=True)
class TrainingImages:
    """One split: ``pixels``, uint8 (n, 3, h, w), and the scene and questions of each image."""

    pixels: torch.Tensor
    scenes: list[dict[str, Any]]
    questions: list[list[dict[str, str]]]


def load_images(root: Path, split: str, limit: int | None = None) -> TrainingImages:
    """Read a split of a CLEVR layout into memory.

    Parameters
    ----------
    limit : read only the first images
    """
    scenes = read_json(root / "scenes" / f"CLEVR_{split}_scenes.json")["scenes"][:limit]
    questions: dict[int, list[dict[str, str]]] = {s["image_index"]: [] for s in scenes}
    for question in read_json(root / "questions" / f"CLEVR_{split}_questions.json")["questions"]:
        if question["image_index"] in questions:
            task = task_of(question["program"][-1]["function"])
            entry = {"question": question["question"], "answer": question["answer"], "task": task}
            questions[question["image_index"]].append(entry)
    files = (root / "images" / split / s["image_filename"] for s in scenes)
    arrays = [np.asarray(open_image(file)) for file in files]
    pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()  # (n, 3, h, w)
    return TrainingImages(pixels, scenes, [questions[s["image_index"]] for s in scenes])


def task_of(function: str) -> str:
    """Return the task of a program's last function, e.g. ``query_color`` -> ``color``."""
    if function.startswith("query_"):
        return function.removeprefix("query_")
    return {"count": "number", DESCRIBE: CAPTION}.get(function, "boolean")


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Return float32 pixels normalised like the image processors: (x / 255 − mean) / std."""
    return (pixels.float() / 255 - MEAN) / STD


def augment(
    pixels: torch.Tensor, settings: dict[str, Any], generator: torch.Generator
) -> torch.Tensor:
    """Flip, shift and brighten each image of a batch independently.

    Result: float32 tensor, shape (b, 3, h, w), normalised.

    Parameters
    ----------
    pixels : uint8 tensor, shape (b, 3, h, w)
    settings : ``flip`` (bool: mirror half of the images; only if no question asks about left or
        right), ``shift_px`` (largest shift, edges repeated), ``brightness`` (largest relative
        change)
    """
    b, _, h, w = pixels.shape
    shift = settings["shift_px"]
    padded = torch.nn.functional.pad(pixels.float(), [shift] * 4, mode="replicate")
    dy, dx = torch.randint(0, 2 * shift + 1, (2, b), generator=generator)
    rows = dy[:, None] + torch.arange(h)  # (b, h)
    columns = dx[:, None] + torch.arange(w)  # (b, w)
    if settings["flip"]:
        mirrored = torch.rand(b, generator=generator) < 0.5
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    batch = torch.arange(b)[:, None, None]
    moved = padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    gain = 1 + settings["brightness"] * (2 * torch.rand(b, 1, 1, 1, generator=generator) - 1)
    return ((moved * gain).clamp(0, 255) / 255 - MEAN) / STD
