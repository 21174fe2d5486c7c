"""Convert rendered shards to COCO's official layout: masks, boxes, areas and captions.

Reads the shards' manifests; writes ``annotations/instances_<split>.json`` and
``annotations/captions_<split>.json`` and, last, the receipt ``acquired.json``. A category is a
colour and a shape (``red cube``), its supercategory the shape. A mask covers the visible part of an
object, run-length encoded, which is exact; ``pycocotools`` reads it like polygons.

    python -m eyechart.rendering.datasets.coco.write --dataset coco --settings JSON --seed 7
        --shards data/raw/coco/shards/val2017-000.json --root data/raw/coco
        --output data/raw/coco/acquired.json
"""

from typing import Any

from eyechart.core import randomness
from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering.datasets.coco.captions import captions
from eyechart.rendering.scene.vocabulary import COLORS, SHAPES
from eyechart.rendering.step_helpers import Writing, finish, read_shards

CATEGORIES = [f"{color} {shape}" for color in COLORS for shape in SHAPES]
INFO = {
    "description": "Scenes drawn by eyechart's studio in the layout of COCO 2017",
    "url": "",
    "version": "1.0",
    "year": 2026,
    "contributor": "eyechart",
    "date_created": "2026/01/01",
}
CC_BY = "https://creativecommons.org/licenses/by/4.0/"
LICENSES = [{"url": CC_BY, "id": 1, "name": "Attribution License"}]
Scene = dict[str, Any]


def image_entry(scene: Scene) -> dict[str, Any]:
    """Return COCO's entry for an image; its id is the image's number."""
    return {
        "license": 1,
        "file_name": scene["image_filename"],
        "coco_url": "",
        "height": scene["height"],
        "width": scene["width"],
        "date_captured": "2026-01-01 00:00:00",
        "flickr_url": "",
        "id": scene["image_index"] + 1,
    }


def instances_json(scenes: list[Scene]) -> dict[str, Any]:
    """Return the content of ``instances_<split>.json``."""
    annotations: list[dict[str, Any]] = []
    for scene in scenes:
        for obj, mask in zip(scene["objects"], scene["segmentations"], strict=True):
            annotations.append(
                {
                    "segmentation": mask,
                    "area": float(obj["visible_px"]),
                    "iscrowd": 0,
                    "image_id": scene["image_index"] + 1,
                    "bbox": [float(x) for x in obj["bbox"]],
                    "category_id": CATEGORIES.index(f"{obj['color']} {obj['shape']}") + 1,
                    "id": len(annotations) + 1,
                }
            )
    categories = [
        {"supercategory": name.split()[1], "id": n + 1, "name": name}
        for n, name in enumerate(CATEGORIES)
    ]
    return {**_head(scenes), "annotations": annotations, "categories": categories}


def captions_json(scenes: list[Scene], name: tuple[str, str], seed: int) -> dict[str, Any]:
    """Return the content of ``captions_<split>.json``.

    ``name``: (dataset, split); seeds the choice of words, with ``seed`` and each scene's index.
    """
    annotations: list[dict[str, Any]] = []
    for scene in scenes:
        rng = randomness.dice("captions", seed, *name, scene["image_index"])
        for text in captions(scene, rng):
            image, number = scene["image_index"] + 1, len(annotations) + 1
            annotations.append({"image_id": image, "id": number, "caption": text})
    return {**_head(scenes), "annotations": annotations}


def _head(scenes: list[Scene]) -> dict[str, Any]:
    return {"info": INFO, "licenses": LICENSES, "images": [image_entry(scene) for scene in scenes]}


@command
def main(args: Writing) -> None:
    """Write instances and captions of every split, then the receipt."""
    files, scenes = read_shards(args.shards, args.root, "scenes", order="image_index")
    splits: dict[str, tuple[int, int]] = {}
    for split in args.settings["splits"]:
        mine = [scene for scene in scenes if scene["split"] == split]
        captions = captions_json(mine, (args.dataset, split), args.seed)
        for kind, content in (("instances", instances_json(mine)), ("captions", captions)):
            path = args.root / "annotations" / f"{kind}_{split}.json"
            write_json(path, content)
            files.append(path)
        splits[split] = (len(mine), len(captions["annotations"]))
    finish(args, "coco", splits, files)


if __name__ == "__main__":
    main()
