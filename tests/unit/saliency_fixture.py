"""A hand-built LLaVA that answers with the colour of the only patch that is not black."""

import json

import numpy as np
import pyarrow as pa
import torch
import yaml
from PIL import Image
from tiny_models import build_llava, spec

from eyechart.core.files import write_text
from eyechart.models.describe_model import describe
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.saliency import attribute, measure_image_use, summarise
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.regions import about_image, box, write_regions

WORDS = ("cube", "colour", "the")  # the answers; each is one token
SHADES = ((200, 20, 20), (20, 200, 20), (20, 20, 200))
PATCH, SIDE = 8, 4  # patch size in pixels, and patches along an image
FLAT = 1e4  # epsilon of the norms: all states are divided by its root, so the model is linear
READ, SAID = slice(0, 3), slice(12, 15)
METHODS = ["gradient", "integrated", "grad_cam", "relevancy"]
SETTINGS = {
    **{"methods": METHODS, "items": 200, "addresses": None, "cam_addresses": None},
    **{"target": "right", "baseline": "blank", "steps": 32, "points": 4, "random": 2},
    **{"batch_size": 16, "prompt": "{question}", "choices": "text"},
    "statement": "{question} {choice}",
}


def build_model(folder, reads=True):
    """Save the model; without ``reads``, its connector returns zeros."""
    checkpoint = build_llava(folder)
    adapter = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu"))
    model = adapter.model
    for name, weight in model.named_parameters():
        if "norm" not in name:
            weight.data.zero_()
    eye = model.model.vision_tower.embeddings.patch_embedding.weight.data
    for channel in range(3):
        eye[channel, channel] = 1 / PATCH**2
    through = model.model.multi_modal_projector
    through.linear_1.weight.data[:3, :3] = 3 * torch.eye(3)
    through.linear_2.weight.data[READ, :3] = torch.eye(3) * reads
    first = model.model.language_model.layers[0].self_attn  # zero queries, so attention is uniform
    first.v_proj.weight.data[:3, READ] = torch.eye(3) * FLAT**0.5
    first.o_proj.weight.data[SAID, :3] = torch.eye(3)
    for n, word in enumerate(WORDS):
        (token,) = adapter.plain_ids(f" {word}")
        model.lm_head.weight.data[token, SAID.start + n] = 5 * FLAT**0.5
    model.config.text_config.rms_norm_eps = FLAT
    model.save_pretrained(checkpoint)
    adapter.processor.image_processor.image_mean = [0.0] * 3  # black is 0
    adapter.processor.save_pretrained(checkpoint)
    write_text(checkpoint / "card.json", json.dumps(describe(adapter, "llava")))
    return checkpoint


def build_data(folder, groups=24):
    """Save black images with one coloured patch, a question and the patch's region each."""
    draw, images, items, regions = np.random.default_rng(3), [], [], []
    for n in range(groups):
        name, kind = f"g{n:03}", int(draw.integers(3))
        row, column = map(int, draw.integers(SIDE, size=2))
        image = Image.new("RGB", (PATCH * SIDE,) * 2)
        edges = (column * PATCH, row * PATCH, (column + 1) * PATCH, (row + 1) * PATCH)
        image.paste(SHADES[kind], edges)
        image.save(folder / f"{name}.png")
        part = {"group": name, "group_split": "test", "split": "all"}
        size = {"width": image.width, "height": image.height}
        images.append({"image_id": name, "path": str(folder / f"{name}.png"), **size, **part})
        said = {"prompt": "what is it", "choices": list(WORDS), "answer": WORDS[kind]}
        item = {"item_id": f"q{n:03}", "images": [name], "task": "kind", "meta": "{}"}
        items.append({**item, **said, **part})
        regions += about_image(f"q{n:03}", name, [box("REF", *edges)])
    write_table(folder / "items.parquet", pa.Table.from_pylist(items, ITEMS))
    write_table(folder / "images.parquet", pa.Table.from_pylist(images, IMAGES))
    write_regions(folder / "regions.parquet", regions)
    return folder


def run(folder, checkpoint, data, /, described=None, **changes):
    """Run both steps; return the paths of the three tables."""
    folder.mkdir(exist_ok=True)
    known = described or spec("llava", checkpoint)
    own = {key: value for key, value in vars(known).items() if key != "derived"}
    (folder / "model.yaml").write_text(yaml.safe_dump(own | {"parameters": None}))
    named = ["--model", "llava", "--dataset", "mine", "--seed", "7"]
    tables = [folder / f"{name}.parquet" for name in ("maps", "curves", "summary")]
    words = ["--output", str(tables[0]), "--settings", json.dumps(SETTINGS | changes)]
    words += ["--spec", str(folder / "model.yaml"), "--card", str(checkpoint / "card.json")]
    words += ["--checkpoint", str(checkpoint)]
    for name in ("items", "images", "regions"):
        words += [f"--{name}", str(data / f"{name}.parquet")]
    attribute.main([*named, *words])
    more = ["--curves", str(tables[1]), "--output", str(tables[2]), "--settings", '{"draws": 500}']
    summarise.main([*named, *more])
    return tables


def measure(output, *inputs, **more):
    """Run the step that measures image use; ``more`` are tables by flag."""
    flags = ("responses", "items", "attention", "effects")
    words = ["--model", "llava", "--output", str(output), "--inputs", *map(str, inputs)]
    for flag in flags:
        words += [f"--{flag}", *map(str, more.get(flag, ()))]
    measure_image_use.main(words)
    return output
