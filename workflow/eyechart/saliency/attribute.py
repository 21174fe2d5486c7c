"""Attribute answers to image tokens by gradients, and test the maps by deletion and in regions.

Reads a model's checkpoint and card, and a dataset's tables and regions, if any. Writes
``maps.parquet`` to the given path, and ``curves.parquet`` and ``inputs.parquet`` next to it. The
model is loaded once. Methods that a family does not support are left out, and the tables' metadata
say why.

    python -m eyechart.saliency.attribute --model tiny_llava --dataset clevr \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --card results/models/tiny_llava/card.json \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --regions results/datasets/clevr/regions.parquet --seed 7 \
        --settings '{"methods": ["gradient"], "items": 8, "addresses": null, \
            "cam_addresses": null, "target": "right", "baseline": "blank", "steps": 32, \
            "points": 10, "random": 3, "batch_size": 16, \
            "prompt": "{question}", "choices": "text", "statement": "{question} {choice}"}' \
        --output results/saliency/tiny_llava/clevr/maps.parquet
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from tqdm import tqdm

from eyechart.core.address import CONNECTOR, VISION, component
from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read_json
from eyechart.core.step import Fields, Paths, command
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.chosen_items import Item, choose_items, read_image_files
from eyechart.inference.marks import marks_by_item
from eyechart.models.addresses import resolve
from eyechart.models.attention_weights import load_eager
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags
from eyechart.saliency.attributor import Attributor, Row
from eyechart.saliency.settings import RIGHT, SaliencySettings
from eyechart.tables.notes import write_noted
from eyechart.tables.saliency import CURVES, INPUTS, MAPS


def method_addresses(card: dict[str, Any], settings: SaliencySettings) -> dict[str, list[str]]:
    """Return the addresses at which each method is computed.

    By default this is the connector, or for Grad-CAM the last vision block that the connector
    reads. In an encoder it is the second-to-last block, since a class token that is compared with
    texts does not depend on the last block's patches. Raise a UserError for an address of another
    kind.
    """
    every = [a["address"] for a in card["addresses"]]
    vision = [a for a in every if component(a) == VISION]
    if card["kind"] == "encoder":
        own = cam = vision[-2:-1] or vision
    else:
        own, cam = [CONNECTOR], (card["reads"] or vision)[-1:]
    if settings.addresses is not None:
        own = _named(card, "addresses", settings.addresses, [*vision, CONNECTOR])
    if settings.cam_addresses is not None:
        cam = _named(card, "cam_addresses", settings.cam_addresses, vision)
    places = {"grad_cam": cam, "relevancy": [CONNECTOR] if card["kind"] == "vlm" else []}
    return {method: places.get(method, own) for method in settings.methods}


def _named(
    card: dict[str, Any], key: str, patterns: Sequence[str], known: Sequence[str]
) -> list[str]:
    """Return the addresses that match patterns; raise a UserError if one is of another kind."""
    found = [a.address for a in resolve(card, patterns)]
    for address in found:
        if address not in known:
            raise UserError(f"saliency.{key}: {address!r}; {nearest(address, known)}")
    return found


def items_with_target(items: Sequence[Item], settings: SaliencySettings) -> list[Item]:
    """Return the items with the target as a choice; raise a UserError if there are none."""
    if settings.target == RIGHT:
        return list(items)
    found = [item for item in items if settings.target in item["choices"]]
    if not found:
        known = sorted({choice for item in items for choice in item["choices"]})
        raise UserError(f"saliency.target: {settings.target!r}; {nearest(settings.target, known)}")
    return found


@command
def main(
    *,
    model: str,
    dataset: str,
    settings: Fields[SaliencySettings],
    card: Path,
    items: Path,
    images: Path,
    regions: Annotated[Paths, {"help": "one, or nothing"}],
    seed: int,
    output: Path,
    flags: LoadFlags,
) -> None:
    """Write the three tables."""
    picked = items_with_target(choose_items(items, settings.items, seed), settings)
    paths, sizes = read_image_files(images)
    marks = marks_by_item(picked, next(iter(regions), None), sizes, seed)
    what = flags.what()
    eager = "relevancy" in settings.methods and what[0].kind == "vlm"
    loading = load_eager if eager else lambda *a: (load(*a), "")
    adapter, refused = loading(*what)
    addresses = method_addresses(read_json(card), settings)
    work = Attributor(adapter, settings, addresses, paths, marks, seed)
    for method in [method for method, own in addresses.items() if not own]:
        work.say(f"{method}: {model} has no address for it")
    if refused:
        work.say(f"relevancy: {refused}")
    size = AdaptiveBatchSize(settings.batch_size, "saliency.batch_size", adapter)
    usable = work.usable(picked)
    work.measure_means(usable, size)
    maps: list[Row] = []
    curves: list[Row] = []
    with tqdm(total=len(usable), unit=" items", mininterval=1.0) as bar:
        for few, (own, tested) in size.over(usable, work.rows, "maps"):
            bar.update(len(few))
            maps, curves = maps + own, curves + tested
    inputs = [row for _, rows in size.over(usable, work.input_rows, "inputs") for row in rows]
    inputs += work.weights()
    notes = work.notes(len(usable))
    named = {"model": model, "dataset": dataset}
    write_noted(output, pa.Table.from_pylist([named | row for row in maps], MAPS), notes)
    tests = pa.Table.from_pylist([named | row for row in curves], CURVES)
    write_noted(output.with_name(f"curves{output.suffix}"), tests, notes)
    taken = pa.Table.from_pylist([named | row for row in inputs], INPUTS)
    write_noted(output.with_name(f"inputs{output.suffix}"), taken, notes)


if __name__ == "__main__":
    main()
