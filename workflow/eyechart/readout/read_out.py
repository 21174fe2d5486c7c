"""Answer items from a model's representations alone, at every address that has image tokens.

Correspondence by cosines of interpolated features, style by Gram matrices, the odd one out by mean
similarity, depth order by trained heads. Each has a control, in which the tokens of an item's
images are shuffled over their positions. Items that cannot be read (a point without a token) are
reported in the log and in the table's metadata, and do not count.

Reads:  items.parquet, regions.parquet, manifests with span `image_tokens` (scope image, and item),
        depth heads (or none), the sighted responses (none for a model that does not answer)
Writes: the table of scores, and the predictions

    python -m eyechart.readout.read_out --model tiny_llava --dataset blink \
        --items results/datasets/blink/items.parquet \
        --regions results/datasets/blink/regions.parquet \
        --manifests results/extraction/tiny_llava/blink/image/manifest.json \
        --heads results/readout/tiny_llava/depth_heads.safetensors \
        --answers results/behavior/responses/tiny_llava/blink/sighted.parquet \
        --settings '{"bootstrap": 1000}' --seed 7 --threads 1 \
        --scores results/readout/tiny_llava/blink.parquet \
        --predictions results/readout/tiny_llava/blink.predictions.parquet
"""

import argparse
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from eyechart.core import errors
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

NO_HEADS = Heads({}, [], 0, 0, {})


def read_all(
    reader: ReadoutContext, sources: list[ActivationSource], heads: Heads, threads: int
) -> Iterator[Prediction]:
    """Yield predictions at every address once, from the source of scope image if it is there."""
    done: set[str] = set()
    tasks = {item.task for item in reader.items}
    if DEPTH in tasks and not heads.linear and not heads.addresses:
        reader.skipped.note(f"no depth heads are given, so no {DEPTH}")
    for source in sources:
        new = [address for address in source.addresses if address not in done]
        yield from reader.tokens(source, new, heads.linear)
        done.update(new)
        if source.scope == "image" and any(registry.names(t, registry.CLS) for t in tasks):
            for address in source.cls_addresses:
                yield from reader.class_tokens(source, address)
        if source.scope == "image" and DEPTH in tasks and heads.addresses:
            yield from _read_depth_map(reader, source, heads, threads)


def _read_depth_map(
    reader: ReadoutContext, source: ActivationSource, heads: Heads, threads: int
) -> Iterator[Prediction]:
    missing = [address for address in heads.addresses if address not in source.addresses]
    if missing:
        reader.skipped.note(f"{source.path}: no tokens at {missing[0]}, so no {DEPTH_DPT}")
    else:
        yield from reader.depth_map(source, heads.map_head(threads))


def views_of(source: ActivationSource) -> dict[str, int]:
    """Return how many views each single image has, where its last tokens are."""
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
    """Return both tables; the metadata of the first list what could not be read."""
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


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the flags; all are required, and some lists may be empty."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for flag in ("model", "dataset"):
        parser.add_argument(f"--{flag}", required=True)
    for flag in ("items", "regions", "scores", "predictions"):
        parser.add_argument(f"--{flag}", required=True, type=Path)
    parser.add_argument("--manifests", required=True, type=Path, nargs="+")
    for flag in ("heads", "answers"):
        parser.add_argument(f"--{flag}", required=True, type=Path, nargs="*")
    parser.add_argument("--settings", required=True, type=json.loads)
    for flag in ("seed", "threads"):
        parser.add_argument(f"--{flag}", required=True, type=int)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Run the step."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args = parse_args(argv)
    names = {"model": args.model, "dataset": args.dataset}
    items = read_readout_items(args.items, args.regions)
    sighted = read_sighted(args.answers[0], names, items) if args.answers else {}
    heads = read_heads(args.heads[0], args.model) if args.heads else NO_HEADS
    sources = [ActivationSource(path, names) for path in args.manifests]
    sources.sort(key=lambda source: source.scope != "image")
    views = {k: v for source in sources for k, v in views_of(source).items()}
    skipped = SkippedItems()
    reader = ReadoutContext(items, (args.dataset, args.seed), views, skipped)
    predictions = list(read_all(reader, sources, heads, args.threads))
    if not predictions:
        skipped.note(f"{args.dataset}: nothing could be read out of {args.model}")
    draws = args.settings["bootstrap"]
    rows = score_readouts(predictions, items, sighted, names, draws, args.seed)
    scores, shown = as_tables(rows, predictions, skipped)
    write_table(args.predictions, shown)
    write_table(args.scores, scores)


if __name__ == "__main__":
    errors.run(main)
