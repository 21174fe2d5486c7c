"""Pack the rendered images of a shard, so that they can ship with the project.

Rendering steps take a shard from ``data/drawn/<dataset>/<split>-<shard>.zip`` if it was rendered
with the same recipe, i.e. the same settings and seed. A test renders some of its images again.

    python -m eyechart.rendering.shipped --dataset blink --split val --shard 0 --settings JSON \
        --seed 7 --root data/raw/blink --output data/drawn/blink/val-000.zip
"""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from PIL import Image

from eyechart.core.files import atomic, read_json, write_bytes, write_json
from eyechart.core.step import command
from eyechart.data.open_image import opened
from eyechart.plan import paths
from eyechart.rendering.step_helpers import Drawing

SHARD = "shard.json"  # the recipe and the shard's manifest
PNG, WEBP = b"\x89PNG", b"RIFF"  # first bytes of such files


def recipe(args: Drawing) -> dict[str, Any]:
    """Return everything that a shard's images depend on, except code."""
    return {"settings": args.settings, "seed": args.seed}


def restore(args: Drawing) -> bool:
    """Write a shard's shipped images and manifest; return whether the shard is shipped."""
    names = {"dataset": args.dataset, "split": args.split, "shard": f"{args.shard:03d}"}
    path = Path(paths.DRAWN.at(**names))
    if not path.is_file():
        return False
    with ZipFile(path) as archive:
        packed = json.loads(archive.read(SHARD))
        if packed["recipe"] != recipe(args):
            return False
        for entry in packed["manifest"]["files"]:
            write_bytes(args.root / entry["path"], _original(archive.read(entry["path"])))
    write_json(args.output, packed["manifest"])
    return True


def _small(data: bytes) -> bytes:
    """Return an RGB PNG as lossless WebP, half as large; return any other file unchanged."""
    if not data.startswith(PNG):
        return data
    with opened(data, "a drawn image") as image:
        if image.mode != "RGB":
            return data
        return _encoded(image, "WEBP", lossless=True, quality=100, method=6)


def _original(data: bytes) -> bytes:
    """Return the original of a file packed by :func:`_small`."""
    if not data.startswith(WEBP):
        return data
    with opened(data, "a shipped image") as image:
        return _encoded(image, "PNG")


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@command
def main(args: Drawing) -> None:
    """Pack the shard's images, its recipe and its manifest."""
    shard = paths.SHARD.at(dataset=args.dataset, split=args.split, shard=f"{args.shard:03d}")
    manifest = read_json(args.root / "shards" / Path(shard).name)
    packed = {"recipe": recipe(args), "manifest": manifest}
    with atomic(args.output) as partial, ZipFile(partial, "w", ZIP_DEFLATED) as archive:
        archive.writestr(SHARD, json.dumps(packed))
        for entry in manifest["files"]:
            archive.writestr(entry["path"], _small((args.root / entry["path"]).read_bytes()))


if __name__ == "__main__":
    main()
