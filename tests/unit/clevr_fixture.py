"""A small generated CLEVR in the official layout: random scenes, images and questions."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eyechart.tables.receipt import write_receipt

COLORS = ["gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow"]
SHAPES = ["cube", "sphere", "cylinder"]
DIRECTIONS = {
    "right": [0.8, 0.6, 0.0],
    "left": [-0.8, -0.6, 0.0],
    "front": [0.6, -0.8, 0.0],
    "behind": [-0.6, 0.8, 0.0],
}


def random_scene(rng: np.random.Generator, split: str, index: int) -> dict[str, Any]:
    objects = [
        {
            "shape": str(rng.choice(SHAPES)),
            "color": str(rng.choice(COLORS)),
            "material": str(rng.choice(["rubber", "metal"])),
            "size": str(rng.choice(["small", "large"])),
            "3d_coords": rng.uniform(-3, 3, 3).tolist(),
            "rotation": float(rng.uniform(0, 360)),
            "pixel_coords": [int(rng.integers(80)), int(rng.integers(64)), 10.0],
        }
        for _ in range(rng.integers(1, 6))
    ]
    places = np.array([thing["3d_coords"] for thing in objects])
    relationships = {
        name: [
            [j for j in range(len(objects)) if (places[j] - places[i]) @ np.array(along) > 0]
            for i in range(len(objects))
        ]
        for name, along in DIRECTIONS.items()
    }
    return {
        "image_index": index,
        "image_filename": f"CLEVR_{split}_{index:06d}.png",
        "split": split,
        "objects": objects,
        "directions": DIRECTIONS,
        "relationships": relationships,
    }


def ask(scene: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return one question per task, with answers counted in the scene."""
    number = int(rng.integers(len(scene["objects"])))
    thing = scene["objects"][number]
    color, shape = str(rng.choice(COLORS)), str(rng.choice(SHAPES))
    chosen = [o for o in scene["objects"] if o["color"] == color and o["shape"] == shape]
    asked = [
        (f"What {name} is thing {number}?", thing[name], f"query_{name}")
        for name in ("color", "shape", "material", "size")
    ]
    asked += [
        (f"How many {color} {shape}s are there?", str(len(chosen)), "count"),
        (f"Is there a {color} {shape}?", "yes" if chosen else "no", "exist"),
    ]
    return [
        {
            "question": text,
            "answer": answer,
            "image_filename": scene["image_filename"],
            "image_index": scene["image_index"],
            "question_family_index": family,
            "split": scene["split"],
            "program": [
                {"function": "scene", "inputs": [], "value_inputs": []},
                {"function": last, "inputs": [0], "value_inputs": []},
            ],
        }
        for family, (text, answer, last) in enumerate(asked)
    ]


def make_clevr(root: Path, counts: dict[str, int], seed: int) -> Path:
    """Write ``counts[split]`` images and scenes, and six questions per image, under ``root``."""
    for split, images in counts.items():
        rng = np.random.default_rng([seed, len(split)])
        scenes = [random_scene(rng, split, index) for index in range(images)]
        numbers = count()
        questions = [
            question | {"question_index": next(numbers)}
            for scene in scenes
            for question in ask(scene, rng)
        ]
        for folder in (f"images/{split}", "scenes", "questions"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for scene in scenes:
            pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"images/{split}/{scene['image_filename']}")
        write(root / f"scenes/CLEVR_{split}_scenes.json", {"info": {}, "scenes": scenes})
        write(
            root / f"questions/CLEVR_{split}_questions.json", {"info": {}, "questions": questions}
        )
    return root


def make_receipt(root: Path, counts: dict[str, int]) -> Path:
    files = [path.relative_to(root) for path in root.rglob("*.*") if path.name != "acquired.json"]
    splits: Any = {name: {"images": n, "questions": 6 * n} for name, n in counts.items()}
    write_receipt(
        root, dataset="clevr", layout="clevr", source="render", splits=splits, files=files
    )
    return root / "acquired.json"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
