"""Render one shard of Stroop: colour names in other colours, and images of the colours.

Writes ``words/<word>_in_<font>_on_<background>_<copy>.png`` and ``concepts/<name>/<name>_000.png``
under the root, then the shard's manifest. The split's number is the maximum number of word images;
a smaller grid is rendered completely. Every image has its own seed, derived from seed, dataset,
split and content, so its bytes do not depend on the number of shards or cores.

    python -m eyechart.rendering.datasets.stroop.draw --dataset stroop --split test --shard 0 \
        --seed 7
        --settings '{"image_px": [80, 80], "splits": {"test": 448}, "shards": 1,
                     "palette": "clevr", "typefaces": ["plain", "bold", "slanted"],
                     "text_height": [0.2, 0.45], "copies": 1, "keep_unreadable": false,
                     "least_contrast": 1, "concept_images": 9}'
        --root data/raw/stroop --output data/raw/stroop/shards/test-000.json
"""

from typing import Any

import numpy as np
from tqdm import tqdm

from eyechart.core import randomness
from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering.datasets.stroop.concepts import concept_kind, draw_concept
from eyechart.rendering.datasets.stroop.palettes import Color, contrast, palette
from eyechart.rendering.datasets.stroop.words import Cell, check_typefaces, draw_word, grid
from eyechart.rendering.drawing import save_array
from eyechart.rendering.step_helpers import Drawing, shard_indices

Name = tuple[str, str]  # dataset and split
Record = dict[str, Any]


def plan(settings: dict[str, Any], split: str, where: str, seed: int) -> list[Cell | Name]:
    """Return all images of a split: grid cells, then (colour, number) of concepts."""
    colors = palette(settings["palette"], f"{where}.palette")
    cells = grid(colors, settings, settings["splits"][split], seed)
    concepts = [(c, f"{n:03d}") for c in colors for n in range(settings["concept_images"])]
    return [*cells, *concepts]


def word_record(
    cell: Cell, colors: dict[str, Color], settings: dict[str, Any], name: Name, seed: int
) -> tuple[np.ndarray, Record]:
    """Draw one word; return the image and its table row."""
    drawn = draw_word(cell, colors, settings, randomness.dice("stroop word", seed, *name, *cell))
    record = {
        "file": f"words/{cell.stem}.png",
        **{"word": cell.word, "font": cell.font, "background": cell.background},
        **{"typeface": drawn.typeface, "size_px": drawn.size_px, "x": drawn.x, "y": drawn.y},
        "contrast": round(contrast(colors[cell.font], colors[cell.background]), 2),
    }
    return drawn.image, record


def concept_record(
    entry: Name, colors: dict[str, Color], size: list[int], name: Name, seed: int
) -> tuple[np.ndarray, Record]:
    """Draw one concept image; return the image and its record."""
    color, number = entry
    rng = randomness.generator("stroop concept", seed, *name, color, number)
    image = draw_concept(colors[color], concept_kind(int(number)), (size[0], size[1]), rng)
    folder = color.replace(" ", "-")
    return image, {"file": f"concepts/{color}/{folder}_{number}.png", "concept": color}


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    settings, where = args.settings, f"datasets.{args.dataset}"
    colors = palette(settings["palette"], f"{where}.palette")
    check_typefaces(settings["typefaces"], f"{where}.typefaces")
    name = (args.dataset, args.split)
    images = plan(settings, args.split, where, args.seed)
    mine = shard_indices(len(images), args.shard, settings["shards"])
    files, records = [], []
    for number in tqdm(mine, desc="/".join(name), unit="image", mininterval=2):
        entry = images[number]
        if isinstance(entry, Cell):
            image, record = word_record(entry, colors, settings, name, args.seed)
        else:
            image, record = concept_record(entry, colors, settings["image_px"], name, args.seed)
        files.append(save_array(args.root, record["file"], image))
        records.append({"number": number, **record})
    write_json(args.output, {"files": files, "images": records})


if __name__ == "__main__":
    main()
