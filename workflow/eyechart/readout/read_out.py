"""Answer items from a model's representations alone, at every address that has image tokens.

Correspondence uses cosines of interpolated features, style uses Gram matrices, the odd one out uses
mean similarity, and depth order uses trained heads. Each has a control, in which the tokens of an
item's images are shuffled over their positions. Items that cannot be read (a point without a token)
are reported in the log and in the table's metadata, and do not count.

Reads:  items.parquet, regions.parquet, manifests with span `image_tokens` (scopes image and item),
        depth heads (optional), the sighted responses (none for a model that does not answer)
Writes: the table of scores, and the predictions

    python -m eyechart.readout.read_out --model tiny_llava --dataset blink \
        --items results/datasets/blink/items.parquet \
        --regions results/datasets/blink/regions.parquet \
        --manifests results/extraction/tiny_llava/blink/image/manifest.json \
        --heads results/readout/tiny_llava/depth_heads.safetensors \
        --answers results/behavior/responses/tiny_llava/blink/sighted.parquet \
        --seed 7 --threads 1 \
        --scores results/readout/tiny_llava/blink.parquet \
        --predictions results/readout/tiny_llava/blink.predictions.parquet
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from eyechart.core.step import Paths, command
from eyechart.readout import registry
from eyechart.readout.choose import Prediction
from eyechart.readout.depth.heads import Heads, read_heads
from eyechart.readout.evaluate import ReadoutContext
from eyechart.readout.items import read_readout_items
from eyechart.readout.scoring import order_of, read_sighted, score_readouts
from eyechart.readout.skipped import SkippedItems
from eyechart.readout.token_plans import VIEW
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.parquet import write_table
from eyechart.tables.readouts import DEPTH, DEPTH_DPT, NOTE, PREDICTIONS, READOUTS

log = logging.getLogger(__name__)

NO_HEADS = Heads({}, {}, 0, 0)


def read_all(
    reader: ReadoutContext, sources: list[ActivationSource], heads: Heads, threads: int
) -> Iterator[Prediction]:
    """Yield predictions at every address once, from the source of scope image if available."""
    done: set[str] = set()
    tasks = {item.task for item in reader.items}
    if DEPTH in tasks and not heads.linear and not heads.maps:
        reader.skipped.note(f"no depth heads are given, so no {DEPTH}")
    for source in sources:
        new = [address for address in source.addresses if address not in done]
        yield from reader.tokens(source, new, heads.linear)
        done.update(new)
        if source.scope == "image" and any(registry.names(t, registry.CLS) for t in tasks):
            for address in source.cls_addresses:
                yield from reader.class_tokens(source, address)
        if source.scope == "image" and DEPTH in tasks:
            yield from _read_depth_maps(reader, source, heads, threads)


def _read_depth_maps(
    reader: ReadoutContext, source: ActivationSource, heads: Heads, threads: int
) -> Iterator[Prediction]:
    for address, head in heads.maps.items():
        missing = [read for read in head.reads if read not in source.addresses]
        if missing:
            why = f"no tokens at {missing[0]}, so no {DEPTH_DPT} at {address}"
            reader.skipped.note(f"{source.path}: {why}")
        else:
            yield from reader.depth_map(source, address, heads.map_head(address, threads))


def views_of(source: ActivationSource) -> dict[str, int]:
    """Return the number of views of each single image at the address of its last tokens."""
    names = source.places_names()
    if source.scope != "image" or not names:
        return {}
    places = source.places(names[-1])
    return {
        name: int(places[row][:, VIEW].max(initial=-1)) + 1 for name, row in source.rows.items()
    }


def as_tables(
    rows: list[dict[str, object]], predictions: list[Prediction], skipped: SkippedItems
) -> tuple[pa.Table, pa.Table]:
    """Return both tables; the first one's metadata list the items that could not be read."""
    note = json.dumps({"unread": skipped.rows, "notes": skipped.notes}, sort_keys=True)
    found = [
        {
            "task": p.item.task,
            "seen": p.item.seen,
            "address": p.address,
            "readout": p.readout,
            "item_id": p.item.item_id,
            "scores": p.scores.tolist(),
            "predicted": p.chosen,
            "answer": p.item.answer,
        }
        for p in predictions
    ]
    found.sort(key=lambda row: (*order_of(row), row["item_id"]))
    scores = pa.Table.from_pylist(rows, READOUTS.with_metadata({NOTE: note}))
    return scores, pa.Table.from_pylist(found, PREDICTIONS)


@command
def main(
    *,
    model: str,
    dataset: str,
    items: Path,
    regions: Path,
    scores: Path,
    predictions: Path,
    manifests: list[Path],
    heads: Paths,
    answers: Paths,
    seed: int,
    threads: int,
) -> None:
    """Run the step."""
    names = {"model": model, "dataset": dataset}
    wanted = read_readout_items(items, regions)
    sighted = read_sighted(answers[0], names, wanted) if answers else {}
    known_heads = read_heads(heads[0], model) if heads else NO_HEADS
    sources = [ActivationSource(path, names) for path in manifests]
    sources.sort(key=lambda source: source.scope != "image")
    views = {k: v for source in sources for k, v in views_of(source).items()}
    skipped = SkippedItems()
    reader = ReadoutContext(wanted, (dataset, seed), views, skipped)
    found = list(read_all(reader, sources, known_heads, threads))
    if not found:
        skipped.note(f"{dataset}: nothing could be read out of {model}")
    rows = score_readouts(found, wanted, sighted, names)
    scored, shown = as_tables(rows, found, skipped)
    write_table(predictions, shown)
    write_table(scores, scored)


if __name__ == "__main__":
    main()
