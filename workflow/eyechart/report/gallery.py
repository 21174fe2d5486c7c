"""A few pictures with their questions and answers, drawn by seed and embedded in the page."""

import base64
import io
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image, UnidentifiedImageError

from eyechart.errors import UserError
from eyechart.probing.splits import RULES
from eyechart.randomness import generator
from eyechart.tables.items import LABEL

QUESTIONS = 8  # more than this per picture would bury the pictures


def gallery(
    dataset: str, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """Draw ``settings["gallery"]`` pictures of a dataset by ``seed``, in the order of their ids.

    Returns
    -------
    list of dict
        ``image_id, split``, ``source`` (a data address of at most ``gallery_px`` a side),
        ``width, height`` (px, as shown), ``questions`` (``prompt, answer, task``; one per task,
        then more) and ``labels`` (task to label).
    """
    ids = images["image_id"].sort().to_list()
    draw = generator("gallery", settings["seed"], dataset)
    picked = sorted(draw.permutation(len(ids))[: settings["gallery"]].tolist())
    rows = {row["image_id"]: row for row in images.to_dicts()}
    asked = items.sort("item_id").explode("images")
    split = RULES[settings["split"]][0]
    return [_entry(rows[ids[i]], asked, split, settings["gallery_px"]) for i in picked]


def embed(path: Path, pixels: int) -> tuple[str, int, int]:
    """Give a picture as a PNG data address, shrunk to at most ``pixels`` a side, and its size.

    Raises
    ------
    UserError
        If the picture is missing or damaged.
    """
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (FileNotFoundError, UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path}: not a whole picture ({error}); acquire it again") from None
    picture.thumbnail((pixels, pixels))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/png;base64,{data}", *picture.size


def _entry(row: dict[str, Any], asked: pl.DataFrame, split: str, pixels: int) -> dict[str, Any]:
    source, width, height = embed(Path(row["path"]), pixels)
    questions = asked.filter(pl.col("images") == row["image_id"])
    one_each = questions.unique("task", keep="first", maintain_order=True)
    rest = questions.join(one_each, on="item_id", how="anti", maintain_order="left")
    shown = pl.concat([one_each, rest]).head(QUESTIONS)
    labels = {k.removeprefix(LABEL): v for k, v in row.items() if k.startswith(LABEL) and v}
    return {
        "image_id": row["image_id"],
        "split": f"official {row['split']}, probes' {row[split]}",
        "source": source,
        "width": width,
        "height": height,
        "questions": shown.select("prompt", "answer", "task").to_dicts(),
        "labels": labels,
    }
