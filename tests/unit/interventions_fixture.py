"""A hand-built model that reads a concept in its first block, and images to ask about."""

import json

import numpy as np
import pyarrow as pa
import torch
import yaml
from PIL import Image
from tiny_models import build_llava, spec

from eyechart.core.files import write_text
from eyechart.interventions import intervene
from eyechart.models.describe_model import describe
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.llava import Llava
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.regions import about_image, box, write_regions

WORDS = ("cube", "colour", "the")  # the answers; each is one token
SHADES = np.array([(200, 40, 40), (40, 200, 40), (40, 40, 200)])
TOKENS, WIDTH, READ, SAID = 16, 24, slice(0, 3), slice(12, 15)
OPTIONS = {
    "patch": {"tokens": ["image", "referent", "last"], "directions": ["noise", "denoise"]},
    "knockout": {"queries": ["text"], "keys": ["image", "referent"], "window": None},
    "ablate": {"tokens": ["image", "referent"]},
    "erase": {"concepts": None, "random": 2, "permuted": 1},
}


def encode_by_hand(adapter, images):
    """Encode images; every token holds the image's class and noise that depends on the image."""
    found = []
    for image in images:
        colour = image.inputs["pixel_values"].mean(dim=(0, 2, 3))
        noise = torch.Generator().manual_seed(int(colour.sum() * 1e6) % 2**31)
        features = 0.3 * torch.randn(TOKENS, WIDTH, generator=noise)
        features[:, READ][:, int(colour.argmax())] += 3
        found.append(EncodedImage(features))
    return found


def build_reading_model(folder):
    """Save a LLaVA whose first block copies the class from image tokens; later blocks do nothing.

    After this block, image tokens hold the class twice, but no later block reads it.
    """
    checkpoint = build_llava(folder)
    adapter = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu"))
    model = adapter.model
    for name, weight in model.model.language_model.named_parameters():
        if "norm" not in name:
            weight.data.zero_()
    first = model.model.language_model.layers[0].self_attn  # zero queries, so attention is uniform
    first.v_proj.weight.data[:3, READ] = torch.eye(3)
    first.o_proj.weight.data[SAID, :3] = torch.eye(3)
    head = torch.zeros_like(model.lm_head.weight)
    for n, word in enumerate(WORDS):
        (token,) = adapter.plain_ids(f" {word}")
        head[token, SAID.start + n] = 20
    model.lm_head.weight = torch.nn.Parameter(head)
    model.save_pretrained(checkpoint)
    write_text(checkpoint / "card.json", json.dumps(describe(adapter, "llava")))
    return checkpoint


def build_asked(folder, groups=120, marked=True, answers=WORDS):
    """Save images of one colour each, with a question and an object region for each."""
    draw, images, items, regions = np.random.default_rng(3), [], [], []
    for n in range(groups):
        name, kind = f"g{n:03}", int(draw.integers(3))
        shade = SHADES[kind] + draw.integers(-20, 20, 3)
        path = folder / f"{name}.png"
        Image.new("RGB", (32, 32), tuple(map(int, shade))).save(path)
        part = {"group": name, "group_split": ("train", "test")[n % 2], "split": "all"}
        images.append({"image_id": name, "path": str(path), "width": 32, "height": 32, **part})
        said = {"prompt": "what is it", "choices": list(WORDS), "answer": answers[kind]}
        item = {"item_id": f"q{n:03}", "images": [name], "task": "kind", "meta": "{}"}
        items.append({**item, **said, **part})
        places = [box("REF", 0, 0, 16, 32), box("OTHER", 16, 0, 32, 32)]
        regions += about_image(f"q{n:03}", name, places)
    write_table(folder / "items.parquet", pa.Table.from_pylist(items, ITEMS))
    write_table(folder / "images.parquet", pa.Table.from_pylist(images, IMAGES))
    write_regions(folder / "regions.parquet", regions if marked else [])
    return folder


def run(folder, checkpoint, data, /, **changes):
    """Run the step; return the two tables and the path of the first."""
    folder.mkdir(exist_ok=True)
    described = spec("llava", checkpoint)
    own = {key: value for key, value in vars(described).items() if key != "derived"}
    (folder / "llava.yaml").write_text(yaml.safe_dump(own | {"parameters": None}))
    settings = {
        **{"edits": list(OPTIONS), "tasks": None, "items": 200, "training": 200, "batch_size": 32},
        **{"addresses": ["connector", "lm.*"], "prompt": "{question}", "choices": "text"},
        **{"scoring": "mean", "options": OPTIONS},
    }
    output = folder / "edits.parquet"
    words = ["--model", "llava", "--dataset", "mine", "--seed", "7", "--output", str(output)]
    words += ["--spec", str(folder / "llava.yaml"), "--card", str(checkpoint / "card.json")]
    words += ["--checkpoint", str(checkpoint), "--settings", json.dumps(settings | changes)]
    for name in ("items", "images", "regions"):
        words += [f"--{name}", str(data / f"{name}.parquet")]
    intervene.main(words)
    return read_table(output), read_table(folder / "erasers.parquet"), output


def by_hand(monkeypatch):
    """Replace the encoding of images by ``encode_by_hand``."""
    monkeypatch.setattr(Llava, "encode_images", encode_by_hand)
