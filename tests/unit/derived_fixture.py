"""A registry of small base models, and the step that derives models from them."""

import json

import torch
import yaml
from PIL import Image
from tiny_models import build_clip, build_llava, spec

from eyechart.core.files import describe
from eyechart.models import derive_model
from eyechart.models.hooks import pass_mode
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.sources.ready_file import NAME, write_ready
from eyechart.models.spec import read_spec

CPU = LoadOptions("cpu")


def build_registry(folder):
    """Write a registry of two bases with their checkpoints; return its folder."""
    for name, build in (("llava", build_llava), ("clip", build_clip)):
        checkpoint = build(folder / "data" / name)
        own = vars(spec(name, checkpoint)) | {"parameters": None}
        own.pop("derived")
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(own))
        files = sorted(p.name for p in checkpoint.iterdir())
        entries = [{**describe(checkpoint / n), "path": n} for n in files]
        write_ready(checkpoint / NAME, checkpoint.name, {"source": "folder"}, entries)
    return folder


def make(folder, name, examples=(), adapter=(), /, **derived):
    """Derive a model with the step; load and return the base and the derived model."""
    base = derived["from"]
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"derived": derived}))
    output = folder / "data" / name / NAME
    flags = {"model": name, "spec": folder / f"{name}.yaml", "base": folder / "data" / base}
    flags |= {"output": output}
    words = [str(word) for k, v in flags.items() for word in (f"--{k}", v)]
    derive_model.main(
        [*words, "--adapter", *map(str, adapter), "--examples", *examples, "--split", "group"]
    )
    specs = [read_spec(folder / f"{n}.yaml") for n in (base, name)]
    loaded = [load(s, folder / "data" / n, CPU) for s, n in zip(specs, (base, name), strict=True)]
    return *loaded, json.loads(output.read_text())


def scores(adapter, pictures):
    with pass_mode():
        rows = [adapter.row("what is it?", [p]) for p in pictures]
        return torch.stack(
            [s[-1] for s in adapter.logits(rows, adapter.encode_images(pictures), [[], []])]
        )


def pictures(adapter):
    images = Image.linear_gradient("L").convert("RGB"), Image.new("RGB", (50, 40), (200, 30, 90))
    return [adapter.prepare_image(image) for image in images]
