"""Answer items from a model's representations alone, at every address that has image tokens.

Correspondence by cosines of interpolated features, style by Gram matrices, the odd one out by mean
similarity, depth order by trained heads; each beside its control, in which the tokens of an item's
pictures are dealt out anew among their places. Items that cannot be read (a point where no token
lies) are told of, here and in the table's metadata, and do not count.

Reads:  items.parquet, regions.parquet, manifests with span `image_tokens` (scope image, and item),
        depth heads (or none), the sighted answers (or none, of a model that does not answer)
Writes: the table of scores, and the predictions behind it

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
from eyechart.readout.choose import Prediction
from eyechart.readout.depth.heads import Heads, read_heads
from eyechart.readout.evaluate import ReadoutContext
from eyechart.readout.items import read_questions
from eyechart.readout.scoring import order_of, read_sighted, score_readouts
from eyechart.readout.skipped import Told
from eyechart.readout.token_plans import VIEW
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.parquet import write_table
from eyechart.tables.readouts import DEPTH, DEPTH_DPT, NOTE, ODD, PREDICTIONS, READOUTS

log = logging.getLogger(__name__)

NO_HEADS = Heads({}, [], 0, 0, {})


def read_all(
    reader: ReadoutContext, sources: list[ActivationSource], heads: Heads, threads: int
) -> Iterator[Prediction]:
    """Read every address once: from the source of scope image, where it has it."""
    done: set[str] = set()
    tasks = {reading.task for reading in reader.readings}
    if DEPTH in tasks and not heads.linear and not heads.addresses:
        reader.told.note(f"no depth heads are given: no {DEPTH}")
    for source in sources:
        new = [address for address in source.addresses if address not in done]
        yield from reader.tokens(source, new, heads.linear)
        done.update(new)
        if source.scope == "image" and ODD in tasks:
            for address in source.with_cls:
                yield from reader.class_tokens(source, address)
        if source.scope == "image" and DEPTH in tasks and heads.addresses:
            yield from _over_blocks(reader, source, heads, threads)


def _over_blocks(
    reader: ReadoutContext, source: ActivationSource, heads: Heads, threads: int
) -> Iterator[Prediction]:
    lacking = [address for address in heads.addresses if address not in source.addresses]
    if lacking:
        reader.told.note(f"{source.path}: no tokens at {lacking[0]}, so no {DEPTH_DPT}")
    else:
        yield from reader.depth_map(source, heads.over_blocks(threads))


def views_of(source: ActivationSource) -> dict[str, int]:
    """Return how many views each picture has by itself, in the last stage that has tokens."""
    stages = source.stages()
    if source.scope != "image" or not stages:
        return {}
    places = source.places(stages[-1])
    return {
        name: int(places[row][:, VIEW].max(initial=-1)) + 1 for name, row in source.rows.items()
    }


def as_tables(
    rows: list[dict[str, object]], predictions: list[Prediction], told: Told
) -> tuple[pa.Table, pa.Table]:
    """Return both tables; what could not be read stands in the metadata of the first."""
    note = json.dumps({"unread": told.rows, "notes": told.notes}, sort_keys=True)
    found = [
        {
            "task": p.reading.task,
            "seen": p.reading.seen,
            "address": p.address,
            "readout": p.readout,
            "item_id": p.reading.item_id,
            "scores": p.scores.tolist(),
            "predicted": p.chosen,
            "answer": p.reading.answer,
        }
        for p in predictions
    ]
    found.sort(key=lambda row: (*order_of(row), row["item_id"]))
    scores = pa.Table.from_pylist(rows, READOUTS.with_metadata({NOTE: note}))
    return scores, pa.Table.from_pylist(found, PREDICTIONS)


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the flags; all are required, and some lists may be empty."""
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
    readings = read_questions(args.items, args.regions)
    said = read_sighted(args.answers[0], names, readings) if args.answers else {}
    heads = read_heads(args.heads[0], args.model) if args.heads else NO_HEADS
    sources = [ActivationSource(path, names) for path in args.manifests]
    sources.sort(key=lambda source: source.scope != "image")
    views = {k: v for source in sources for k, v in views_of(source).items()}
    told = Told()
    reader = ReadoutContext(readings, (args.dataset, args.seed), views, told)
    predictions = list(read_all(reader, sources, heads, args.threads))
    if not predictions:
        told.note(f"{args.dataset}: nothing could be read of {args.model}")
    draws = args.settings["bootstrap"]
    rows = score_readouts(predictions, readings, said, names, draws, args.seed)
    scores, shown = as_tables(rows, predictions, told)
    write_table(args.predictions, shown)
    write_table(args.scores, scores)


if __name__ == "__main__":
    errors.run(main)
