"""Compare extraction with the bare forward pass, by family, on the tests' tiny models.

Three variants run in turn, so other load on the machine affects all equally: the class's own
forward pass over precomputed inputs (bare); the same including its own processor (whole); and the
engine, from images in memory to a Parquet shard of every address (ours).

    PYTHONPATH=workflow:tests/families python bench/families.py --pictures 32 --rounds 5
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from zoo import FAMILIES, Case, build
from zoo_parts import TV

from eyechart.extraction.engine import Engine
from eyechart.extraction.shards import open_shard
from eyechart.inference import preprocessing
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.workload import ExtractionPart, ItemPrompt, chunks
from eyechart.models.addresses import columns
from eyechart.models.describe_model import describe
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions

BATCH = 16
SPANS = ["cls", "image_mean", "last"]
QUESTION = "what is left of the red square ?"
SIZE = (64, 40)


class Bench:
    """One family's checkpoint and images, and the three variants."""

    def __init__(self, name: str, folder: Path, pictures: int, questions: int) -> None:
        self.case: Case = FAMILIES[name]
        self.adapter: Any = load(self.case.spec, build(name, folder / name), LoadOptions("cpu"))
        self.card = describe(self.adapter, name)
        self.folder, self.questions = folder, questions
        draw = np.random.default_rng(0)
        shape = (SIZE[1], SIZE[0], 3)
        self.shown = {
            f"p{i:03}": Image.fromarray(draw.integers(0, 255, shape, dtype=np.uint8))
            for i in range(pictures)
        }
        self.ready = list(self.inputs())

    def inputs(self) -> Iterator[dict[str, Any]]:
        """Yield the inputs of the bare pass from the model's own processor, by batch."""
        asked = [image for image in self.shown.values() for _ in range(self.questions)]
        for images in chunks(asked, BATCH):
            if self.case.kind == "encoder":
                prepare_ = getattr(self.adapter.processor, "image_processor", None)
                yield dict((prepare_ or self.adapter.processor)(images=images, return_tensors="pt"))
                continue
            write = self.case.own_text or self.adapter.turn
            texts = [write(QUESTION, 1) for _ in images]
            many = {"images": [[i] for i in images], "text": texts, "return_tensors": "pt"}
            yield dict(self.adapter.processor(**many, padding=True))

    def bare(self) -> None:
        """Run the class's own forward pass over precomputed inputs."""
        for inputs in self.ready:
            self.forward(inputs)

    def whole(self) -> None:
        """Do the same, and also compute the inputs, as every pipeline must."""
        for inputs in self.inputs():
            self.forward(inputs)

    def forward(self, inputs: dict[str, Any]) -> None:
        """Run one batch, without the head if the class allows it."""
        model = self.adapter.model
        with torch.inference_mode():
            if self.case.kind == "encoder":
                see = getattr(model, "get_image_features", model)
                see(**inputs)
                return
            if "begun" in self.case.loosely:
                start = self.adapter.text_config.decoder_start_token_id
                inputs["decoder_input_ids"] = torch.full((len(inputs["input_ids"]), 1), start)
            inputs = {k: v for k, v in inputs.items() if k != "labels"}
            self.adapter.body(**inputs, use_cache=False)

    def ours(self) -> None:
        """Extract all addresses as the workflow does, pooled, to shards."""
        images = list(self.shown)
        asked = {s: columns(self.card, ["*"], SPANS, s) for s in ("image", "item")}
        reads = range(self.questions if self.case.kind == "vlm" else 0)
        rows = [(f"{i}-{n}", i) for i in images for n in reads]
        questions = [ItemPrompt(k, (i,), QUESTION) for k, (_, i) in enumerate(rows)]
        part = ExtractionPart(
            images, [], [r for r, _ in rows], questions, {i: Path(i) for i in images}
        )
        engine = Engine(
            self.adapter,
            self.card["shares_prefix"],
            asked["image"],
            asked["item"],
            AdaptiveBatchSize(BATCH),
        )
        with ExitStack() as stack:
            emit = {}
            for scope, ids in (("image", part.images), ("item", part.items)):
                path = self.folder / f"{scope}.parquet"
                shard = open_shard(path, ids, asked[scope], "float16", {"scope": scope})
                emit[scope] = stack.enter_context(shard).add
            preprocessing.open_image = lambda path: self.shown[
                str(path)
            ]  # from memory, like the other variants
            for _ in engine.run(part, emit["image"], emit["item"]):
                pass


def seconds(work: Callable[[], None]) -> float:
    """Return the processor time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print one line per family, with pictures per second of processor time and speed ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--questions", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--families", nargs="*", default=sorted(FAMILIES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{args.pictures} pictures x {args.questions} question(s), batch {BATCH}, one thread,")
    print(f"float32, processor time, median of {args.rounds} rounds\n")
    print("| family | shared | bare, pictures/s | whole / bare | ours / bare | ours / whole |")
    print("|---|---|---|---|---|---|")
    for name in args.families:
        if FAMILIES[name].torchvision and not TV:
            print(f"| {name} | not run: needs torchvision | | | | |")
            continue
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(name, Path(folder), args.pictures, args.questions)
            variants = (bench.bare, bench.whole, bench.ours)
            times = [[seconds(v) for v in variants] for _ in range(args.rounds + 1)][1:]
        bare, whole, ours = (statistics.median(column) for column in zip(*times, strict=True))
        shared = "yes" if bench.card["shares_prefix"] else "no"
        print(
            f"| {name} | {shared} | {args.pictures / bare:.0f} | {bare / whole:.2f} "
            f"| {bare / ours:.2f} | {whole / ours:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
