"""Train depth heads on tokens of images with depth maps, and write their test errors.

Every address with image tokens gets a linear head (ridge regression). Small DPT-like heads read
several encoder blocks, the connector, several language-model blocks, and the last block alone. All
have the same size, so that a loss between them is not due to the heads. The images' `group_split`
decides which are used for training and which for testing; no group is in both.

Reads:  manifests of the images' activations (scope image, or item where language-model tokens
        depend on the prompt), images.parquet with `label/depth_map`, items.parquet, depth maps
Writes: --heads (safetensors) and --metrics (JSON)

    python -m eyechart.readout.depth.train_depth_heads --model tiny_llava --dataset nyuv2 \
        --manifests results/extraction/tiny_llava/nyuv2/image/manifest.json \
        --items results/datasets/nyuv2/items.parquet \
        --images results/datasets/nyuv2/images.parquet \
        --settings '{"images": 800, "linear": {"strengths": [0.001, 0.1, 10], "folds": 5,
            "tokens": 128}, "dpt": {"layers": 4, "width": 32, "finest": 4, "epochs": 60,
            "lr": 0.002, "batch": 16, "patience": 8, "held_out": 0.2}}' --seed 7 --threads 2 \
        --heads results/readout/tiny_llava/depth_heads.safetensors \
        --metrics results/readout/tiny_llava/depth_heads.json
"""

import logging
import math
import re
from pathlib import Path
from typing import Any

from eyechart.core.address import CONNECTOR, component, in_language_model, sort_key
from eyechart.core.files import write_json
from eyechart.core.randomness import generator
from eyechart.core.step import Json, command
from eyechart.readout.depth.heads import Heads, MapTensors, write_heads
from eyechart.readout.depth.rows import DepthRows, read_depth_rows
from eyechart.readout.depth.targets import DepthImage, read_depth_images
from eyechart.readout.depth.training import train_linear, train_map
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.readouts import MANY

log = logging.getLogger(__name__)


def sample_images(images: list[DepthImage], most: int, seed: tuple[str, int]) -> list[DepthImage]:
    """Return at most ``most`` images, drawn with the seed, in their original order."""
    if len(images) <= most:
        return images
    order = generator("depth pictures", *seed).permutation(len(images))[:most]
    return [images[i] for i in sorted(order)]


def evenly_spaced(addresses: list[str], count: int) -> list[str]:
    """Return ``count`` evenly spaced addresses, including the last; if too few, some repeat.

    >>> evenly_spaced([f"vision.{i}" for i in range(8)], 4)
    ['vision.1', 'vision.3', 'vision.5', 'vision.7']
    """
    return [addresses[math.ceil((i + 1) * len(addresses) / count) - 1] for i in range(count)]


def map_inputs(source: ActivationSource, count: int) -> dict[str, list[str]]:
    """Return, by the address of each head over several maps, the ``count`` addresses that it reads.

    A head for a single address reads it ``count`` times, so that all heads have the same size.
    """
    found = {}
    for part in MANY:
        own = [a for a in source.addresses if re.fullmatch(rf"{part}\.\d+", a)]
        own = [a for a in own if source.places_name(a) == source.places_name(own[0])]
        if own:
            found[part] = evenly_spaced(own, count)
    ordered = sorted(source.addresses, key=sort_key)
    single = [a for a in ordered if component(a) == CONNECTOR][-1:]
    single += [a for a in ordered if in_language_model(a)][-1:]
    return found | {address: [address] * count for address in single}


def train(
    sources: list[ActivationSource],
    known: dict[str, DepthRows],
    settings: dict[str, Any],
    seed: tuple[str, str, int],
) -> tuple[Heads, list[dict[str, Any]]]:
    """Train all heads; return them and one row of errors per head."""
    linear, rows, done = {}, [], set()
    for source in sources:
        here = known[source.scope]
        for address in source.addresses:
            if address in done:
                continue
            done.add(address)
            if not here.has_depths(source.places_name(address)):
                log.warning("%s: no token has a known depth; no head is trained there", address)
                continue
            linear[address], row = train_linear(source, address, here, settings["linear"], seed)
            rows.append(row)
            log.info("%s: %s", address, row)
    image = next((source for source in sources if source.scope == "image"), None)
    dpt = settings["dpt"] and {**settings["dpt"], "threads": settings["threads"]}
    inputs = map_inputs(image, dpt["layers"]) if image and dpt else {}
    if not image or not inputs:
        log.warning("no head over several blocks: no settings for it, or no encoder tokens")
        return Heads(linear, {}, 0, 0), rows
    maps = {}
    for address, layers in inputs.items():
        tensors, row = train_map(image, (address, layers), known["image"], dpt, seed)
        maps[address] = MapTensors(layers, tensors)
        rows.append(row)
        log.info("%s: %s", address, row)
    return Heads(linear, maps, dpt["width"], dpt["finest"]), rows


@command
def main(
    *,
    model: str,
    dataset: str,
    manifests: list[Path],
    items: Path,
    images: Path,
    heads: Path,
    metrics: Path,
    settings: Json,
    seed: int,
    threads: int,
) -> None:
    """Run the step."""
    names = {"model": model, "dataset": dataset}
    sources = [ActivationSource(path, names) for path in manifests]
    by_split = read_depth_images(images)
    seeds = (dataset, seed)
    by_split["train"] = sample_images(by_split["train"], settings["images"], seeds)
    known = {s.scope: read_depth_rows(s, by_split, items) for s in sources}
    settings = {**settings, "threads": threads}
    trained, rows = train(sources, known, settings, (model, *seeds))
    write_heads(heads, names, trained)
    write_json(metrics, {**names, "heads": rows})


if __name__ == "__main__":
    main()
