"""Extract a model's pooled activations for one part of a dataset.

Reads the model's checkpoint and card and the dataset's tables, including regions if a span is a
region. Writes one shard per scope, with a row per image and a row per question; for an encoder, the
latter has only regions. Uses OMP_NUM_THREADS threads.

    python -m eyechart.extraction.extract_activations --model tiny_llava --dataset clevr \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --card results/models/tiny_llava/card.json \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --regions results/datasets/clevr/regions.parquet --part 0 --parts 1 \
        --settings '{"addresses": ["lm.*"], "spans": ["last"], "dtype": "float16", \
            "batch_size": 32, "prompt": "{question}"}' \
        --image-output results/extraction/tiny_llava/clevr/image/part-000.parquet \
        --item-output results/extraction/tiny_llava/clevr/item/part-000.parquet
"""

import hashlib
import json
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import transformers
from tqdm import tqdm

from eyechart.core.address import COMPONENT_NAMES, REGION_SPANS
from eyechart.core.files import read_json
from eyechart.core.step import Fields, command
from eyechart.extraction.engine import Engine
from eyechart.extraction.shards import open_shard
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.workload import ExtractionPart, plan_part
from eyechart.models.addresses import columns, resolve
from eyechart.models.families.base import Adapter
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags

LOG = logging.getLogger("eyechart")


@dataclass(frozen=True)
class ExtractionSettings:
    """The config section ``extraction``.

    Attributes
    ----------
    addresses, spans : the activations to extract; see ``models/addresses.py``
    dtype : ``float16`` or ``float32``
        Precision of the shards; the model runs in its spec's precision.
    batch_size : int or ``auto``; images or prompts per forward pass
    prompt : template of the user turn, with the field ``{question}``
    """

    addresses: list[str]
    spans: list[str]
    dtype: str
    batch_size: int | str
    prompt: str


@dataclass(frozen=True, kw_only=True)
class ExtractionJob:
    """The step's flags; ``regions`` is one path, or empty if no span is a region."""

    model: str
    dataset: str
    settings: Fields[ExtractionSettings]
    card: Path
    items: Path
    images: Path
    regions: Annotated[list[Path], {"nargs": "*"}]
    part: int
    parts: int
    image_output: Path
    item_output: Path
    flags: LoadFlags


def provenance(
    settings: ExtractionSettings, part: int, parts: int, adapter: Adapter
) -> dict[str, Any]:
    """Return the facts other than inputs on which a shard depends; clean runs give equal facts."""
    device = adapter.device
    cuda = device.type == "cuda"
    return {
        "part": part,
        "parts": parts,
        "device": torch.cuda.get_device_name(device) if cuda else device.type,
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "dtype": settings.dtype,
        "batch_size": settings.batch_size,
        "padding_side": "right",
        "prompt": settings.prompt,
        "prompt_sha256": hashlib.sha256(settings.prompt.encode()).hexdigest(),
    }


def extract(args: ExtractionJob, card: dict[str, Any], part: ExtractionPart) -> None:
    """Run the model over one part and write its shards."""
    settings = args.settings
    asked = {s: columns(card, settings.addresses, settings.spans, s) for s in ("image", "item")}
    adapter = load(*args.flags.what())
    loading = json.loads(args.flags.loading)
    facts = {"model": args.model, "dataset": args.dataset, "loading": loading}
    facts |= provenance(settings, args.part, args.parts, adapter)
    batches = AdaptiveBatchSize(settings.batch_size, adapter=adapter)
    engine = Engine(adapter, card["shares_prefix"], asked["image"], asked["item"], batches)
    with ExitStack() as stack:
        shards = {}
        for scope, path, ids in (
            ("image", args.image_output, part.images),
            ("item", args.item_output, part.items),
        ):
            located = {"image": engine.of_image, "item": engine.of_item}[scope]
            metadata = {**facts, "scope": scope, "places": located.stages}
            shard = open_shard(path, ids, asked[scope], settings.dtype, metadata)
            shards[scope] = stack.enter_context(shard)
        label = f"{args.model} on {args.dataset}, part {args.part + 1}/{args.parts}"
        bar = stack.enter_context(tqdm(total=len(part.order()), unit=" images", desc=label))
        of_image, of_item = shards["image"], shards["item"]
        for done in engine.run(part, of_image.add, of_item.add, of_image.drop, of_item.drop):
            bar.update(done)
        for scope, one in shards.items():
            for why in dict.fromkeys(one.dropped.values()):
                LOG.warning("left out of the %ss: %s", scope, why)


def warn_unplaced(card: dict[str, Any], settings: ExtractionSettings) -> None:
    """Log the components that have no regions because their image tokens have no position."""
    asked = [span for span in settings.spans if span in REGION_SPANS]
    chosen = resolve(card, settings.addresses) if asked else []
    placed = {a.component for a in chosen if REGION_SPANS[0] in a.scopes}
    for component in dict.fromkeys(a.component for a in chosen):
        if component not in placed:
            LOG.warning(
                "%s: no image token of the %s has a known position, so it has no %s",
                *(card["model"], COMPONENT_NAMES.get(component, component), " and no ".join(asked)),
            )


@command
def main(args: ExtractionJob) -> None:
    """Write one part's shards."""
    card, prompt = read_json(args.card), args.settings.prompt
    regions, encoder = next(iter(args.regions), None), card["kind"] == "encoder"
    tables = (args.items, args.images)
    part = plan_part(*tables, args.part, args.parts, prompt, regions, encoder)
    warn_unplaced(card, args.settings)
    extract(args, card, part)


if __name__ == "__main__":
    main()
