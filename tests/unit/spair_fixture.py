"""A miniature of SPair-71k: pair annotations, images by category and lists of pairs."""

import json
from pathlib import Path
from typing import Any

from skills_fixture import photo

SIZE = (60, 48)
# keypoints of every image of a category by id, shifted in each image
KEYPOINTS = {"0": (5, 6), "3": (30, 8), "4": (50, 10), "7": (10, 30), "9": (40, 35), "12": (25, 20)}
IMAGES = {
    "cat": ("2008_000001", "2008_000002", "2008_000003"),
    "bus": ("2009_000007", "2009_000008"),
}


def shifted(name: str, ids: list[str]) -> list[list[int]]:
    shift = int(name[-1])
    return [[KEYPOINTS[k][0] + shift, KEYPOINTS[k][1] + shift] for k in ids]


def annotation(
    number: int, category: str, source: str, target: str, ids: list[str]
) -> dict[str, Any]:
    return {
        "filename": f"{number:06d}-{source}-{target}:{category}",
        "pair_id": number,
        "src_imname": f"{source}.jpg",
        "trg_imname": f"{target}.jpg",
        "src_imsize": [*SIZE, 3],
        "trg_imsize": [*SIZE, 3],
        "src_bndbox": [1, 1, 50, 40],
        "trg_bndbox": [1, 1, 50, 40],
        "category": category,
        "src_pose": "Left",
        "trg_pose": "Right",
        "src_kps": shifted(source, ids),
        "trg_kps": shifted(target, ids),
        "kps_ids": ids,
        "mirror": 0,
        "viewpoint_variation": 1,
        "scale_variation": 0,
        "truncation": 0,
        "occlusion": 0,
    }


def write_pair(root: Path, split: str, found: dict[str, Any], name: str = "") -> Path:
    path = root / "PairAnnotation" / split / f"{name or found['filename']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return path


def make_spair(root: Path, split: str = "test") -> Path:
    """Write four pairs, the last with too few shared keypoints, and all other files."""
    for category, names in IMAGES.items():
        for name in names:
            path = root / f"JPEGImages/{category}/{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            photo(*SIZE, int(name[-1])).save(path, quality=95)
    every = list(KEYPOINTS)
    cats, buses = IMAGES["cat"], IMAGES["bus"]
    made = [
        annotation(1, "cat", cats[0], cats[1], every),
        annotation(2, "cat", cats[1], cats[2], every[:5]),
        annotation(3, "bus", *buses, every),
        annotation(4, "bus", buses[1], buses[0], every[:3]),
    ]
    for found in made:
        write_pair(root, split, found)
    layout = root / f"Layout/large/{split}.txt"
    layout.parent.mkdir(parents=True, exist_ok=True)
    layout.write_text("".join(f"{found['filename']}\n" for found in made))
    (root / "ImageAnnotation/cat").mkdir(parents=True, exist_ok=True)
    (root / f"ImageAnnotation/cat/{cats[0]}.json").write_text("{}")
    return root
