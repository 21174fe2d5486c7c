"""Images and tables of a user, and the two steps that turn them into a dataset."""

import io
import json
from pathlib import Path
from typing import Any

import polars as pl
from mmvp_fixture import draw, write_rows
from PIL import Image

from eyechart.data.own import import_local
from eyechart.data.own import prepare as own_prepare

ROOT = Path("data/raw/mine")
TABLE = Path("mine/questions.csv")
HEADER = ["image", "prompt", "choices", "answer", "task"]
ROWS = [
    ["a.png", "Is it red?", "yes|no", "yes", "Colour"],
    ["sub/b.png", "Is it red?", "yes|no", "no", "Colour"],
    ["a.png", "How many?", '["1", "2", "3"]', "3", "Counting things"],
    ["a.png|sub/b.png", "What differs?", "", "the colour", "Open"],
]


def make_table(rows: list[list[str]] = ROWS, header: list[str] = HEADER) -> Path:
    draw(Path("mine/a.png"), 1)
    draw(Path("mine/sub/b.png"), 2)
    write_rows(TABLE, header, rows)
    return TABLE


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 5), (seed, 2 * seed % 256, 9)).save(buffer, "PNG")
    return buffer.getvalue()


def take(source: Path, layout: str = "table", splits: Any = ("all",), **settings: Any) -> Any:
    given = json.dumps({"layout": layout, "splits": list(splits), **settings})
    import_local.main(
        [
            *("--dataset", "mine", "--source", str(source), "--settings", given),
            *("--root", str(ROOT), "--output", str(ROOT / "acquired.json")),
        ]
    )
    return json.loads((ROOT / "acquired.json").read_text())


def prepare(
    layout: str = "table", splits: Any = ("all",), out: str = "out", **settings: Any
) -> tuple[pl.DataFrame, pl.DataFrame]:
    given = {"layout": layout, "splits": list(splits), "test_share": 0.5, **settings}
    own_prepare.main(
        [
            *("--dataset", "mine", "--receipt", str(ROOT / "acquired.json"), "--seed", "7"),
            *("--settings", json.dumps(given), "--items", f"{out}/items.parquet"),
            *("--images", f"{out}/images.parquet", "--regions", f"{out}/regions.parquet"),
        ]
    )
    return pl.read_parquet(f"{out}/items.parquet"), pl.read_parquet(f"{out}/images.parquet")
