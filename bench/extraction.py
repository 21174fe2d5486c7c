"""Compare the time of extraction, with and without shared prefixes, with the bare forward pass.

Builds a random LLaVA, draws noise images and times variants in turn (A B C A B C). Prints medians
and ratios of wall time and of the processor time of all threads, which other load distorts less.

    PYTHONPATH=workflow python bench/extraction.py --size 60m --pictures 16 --questions 1 --rounds 5

On a GPU, with the shape of LLaVA 7B, at batch size 1, 16 and auto:
    … --size 7b --pictures 64 --questions 10 --rounds 3 --device cuda --dtype bfloat16 --batch auto
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from random_llava import QUESTIONS, SIZES, build_model

from eyechart.data.open_image import open_image
from eyechart.extraction.engine import Engine
from eyechart.extraction.shards import open_shard
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.workload import chunks, plan_part
from eyechart.models.addresses import columns
from eyechart.models.describe_model import describe
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec, defaults
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.regions import about_image, box, write_regions

SPANS = ["cls", "image_mean", "text_mean", "last", "all_mean"]
BATCH = 16
PIXELS = (240, 160)  # of an image


def build_data(
    folder: Path, pictures: int, questions: int, size: tuple[int, int]
) -> SimpleNamespace:
    width, height = size
    draw = np.random.default_rng(0)
    folder.mkdir()
    images = []
    for i in range(pictures):
        coarse = Image.fromarray(draw.integers(0, 255, (16, 24, 3), dtype=np.uint8))
        path = folder / f"{i:05}.png"
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
        row = {"image_id": f"{i:05}", "path": str(path), "width": width, "height": height}
        images.append(row)
    items = [
        {
            "item_id": f"{i:05}-{q}",
            "images": [f"{i:05}"],
            "prompt": QUESTIONS[(i + q) % len(QUESTIONS)],
        }
        for i in range(pictures)
        for q in range(questions)
    ]
    write_table(folder / "images.parquet", pa.Table.from_pylist(images, IMAGES))
    write_table(folder / "items.parquet", pa.Table.from_pylist(items, ITEMS))
    most = (width - 40, height - 40, 40, 40)
    things = draw.uniform((0, 0, 20, 20), most, (pictures, 6, 4))  # six questions per image
    rows = []
    for item in items:
        x, y, wide, high = things[int(item["item_id"][:5]), draw.integers(6)]
        rows += about_image(
            item["item_id"], item["images"][0], [box("REF", x, y, x + wide, y + high)]
        )
    write_regions(folder / "regions.parquet", rows)
    return SimpleNamespace(images=folder / "images.parquet", items=folder / "items.parquet")


class Bench:
    """A model and a dataset; each variant is a method that does all the work once."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        checkpoint, size, questions = folder / "model", args.size, args.questions
        if not checkpoint.exists():
            build_model(checkpoint, size, getattr(torch, args.dtype))
        data = folder / f"data-{args.pictures}-{questions}"
        if not data.exists():
            build_data(data, args.pictures, questions, args.pixels)
        blocks = SIZES[size][0][2], SIZES[size][1][2]
        fields = {
            "family": "llava",
            "kind": "vlm",
            "checkpoint": str(checkpoint),
            "revision": None,
            "dtype": args.dtype,
            "licence": "none",
            "vision_blocks": blocks[0],
            "lm_blocks": blocks[1],
        }
        spec = Spec(**(defaults() | fields))
        self.out = folder
        self.batch: int | str = args.batch if args.batch == "auto" else int(args.batch)
        self.adapter = load(spec, checkpoint, LoadOptions(args.device))
        self.card = describe(self.adapter, size)
        tables = (data / "items.parquet", data / "images.parquet", 0, 1, "{question}")
        self.part = plan_part(*tables)
        self.marked = plan_part(*tables, data / "regions.parquet")

    @cached_property
    def batches(self) -> list[dict[str, torch.Tensor]]:
        """Return the inputs of the bare forward pass, bucketed by length."""
        shown = {i: self.adapter.prepare_image(open_image(p)) for i, p in self.part.paths.items()}
        rows = sorted(
            (
                (self.adapter.row(q.prompt, [shown[q.images[0]]]), q.images[0])
                for q in self.part.questions
            ),
            key=lambda row: len(row[0].ids),
        )
        ready = []
        for few in chunks(rows, self.batch if isinstance(self.batch, int) else BATCH):
            tokens = self.adapter.tokens([row for row, _ in few])
            pixels = torch.cat([shown[image].inputs["pixel_values"] for _, image in few])
            pixels = pixels.to(self.adapter.device, self.adapter.dtype)
            mask = tokens.valid.long()
            ready.append({"input_ids": tokens.ids, "attention_mask": mask, "pixel_values": pixels})
        return ready

    def bare(self) -> None:
        """Run batched forward passes without a head over precomputed inputs, and nothing else."""
        with torch.inference_mode():
            for inputs in self.batches:
                self.adapter.model.model(**inputs, use_cache=False)
        if self.adapter.device.type == "cuda":
            torch.cuda.synchronize()

    def shared(self) -> None:
        """Extract as the workflow does, from PNG files to Parquet shards."""
        self.extract(shares_prefix=True)

    def joint(self) -> None:
        """Do the same, but run every prompt in full, with encoder and connector once per image."""
        self.extract(shares_prefix=False)

    def referent(self) -> None:
        """Do the same as ``shared``, and also pool each question's region at every address."""
        self.extract(shares_prefix=True, spans=[*SPANS, "referent"])

    def center(self) -> None:
        """Do the same as ``referent``, and also pool each region's centre."""
        self.extract(shares_prefix=True, spans=[*SPANS, "referent", "referent_center"])

    def extract(
        self, *, shares_prefix: bool, spans: list[str] = SPANS, stored: str = "float16"
    ) -> None:
        """Extract all addresses, pooled."""
        asked = {s: columns(self.card, ["*"], spans, s) for s in ("image", "item")}
        part = self.part if spans is SPANS else self.marked
        engine = Engine(
            self.adapter,
            shares_prefix,
            asked["image"],
            asked["item"],
            AdaptiveBatchSize(self.batch, adapter=self.adapter),
        )
        if not shares_prefix:  # without a prefix pass, no image is processed alone
            engine.read_alone = []
            asked["image"] = engine.encoder_columns
        with ExitStack() as stack:
            emit = {}
            for scope, ids in (("image", part.images), ("item", part.items)):
                path = self.out / f"{scope}.parquet"
                shard = open_shard(path, ids, asked[scope], stored, {"scope": scope})
                emit[scope] = stack.enter_context(shard).add
            for _ in engine.run(part, emit["image"], emit["item"]):
                pass


def peak_mb(arguments: list[str]) -> float:
    """Return the peak resident memory of one variant in its own process, in MB."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def compare(args: argparse.Namespace, folder: Path) -> None:
    bench = Bench(folder, args)
    every = ["bare", "joint", "shared", "referent"] if args.questions > 1 else ["bare", "shared"]
    variants = args.variants or every
    first = variants[0]
    wall: dict[str, list[float]] = {v: [] for v in variants}
    busy: dict[str, list[float]] = {v: [] for v in variants}
    for round_ in range(args.rounds + 1):
        for variant in variants:
            starts = time.perf_counter(), time.process_time()
            getattr(bench, variant)()
            if round_:  # the first round warms up
                wall[variant].append(time.perf_counter() - starts[0])
                busy[variant].append(time.process_time() - starts[1])
    print(
        f"{bench.card['parameters'] / 1e6:.1f}M parameters, {bench.card['image_tokens']} image "
        f"tokens, {args.pictures} pictures of {args.pixels[0]} x {args.pixels[1]} pixels x "
        f"{args.questions} questions, batch {args.batch}, "
        f"{args.dtype}, {where(bench)}, median of {args.rounds}\n"
    )
    speeds = f"speed by wall, {first} = 1 | processor s | speed by processor, {first} = 1"
    print(f"| variant | wall s | pictures/s | {speeds} | peak MB |")
    print("|---|---|---|---|---|---|---|")
    flags = ["--size", args.size, "--pictures", str(args.pictures), "--rounds", "1"]
    flags += ["--questions", str(args.questions), "--folder", str(folder), "--batch", args.batch]
    flags += ["--dtype", args.dtype, "--device", args.device]
    for variant in variants:
        w, c = statistics.median(wall[variant]), statistics.median(busy[variant])
        ratios = statistics.median(wall[first]) / w, statistics.median(busy[first]) / c
        peak = peak_mb([*flags, "--peak", variant])
        print(
            f"| {variant} | {w:.2f} | {args.pictures / w:.1f} | {ratios[0]:.2f} | {c:.2f} "
            f"| {ratios[1]:.2f} | {peak:.0f} |"
        )


def where(bench: Bench) -> str:
    """Return the name of the device, or the number of threads."""
    if bench.adapter.device.type == "cuda":
        return torch.cuda.get_device_name(bench.adapter.device)
    return f"{torch.get_num_threads()} thread(s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=list(SIZES), required=True)
    parser.add_argument("--pictures", type=int, required=True)
    parser.add_argument("--questions", type=int, required=True, help="per picture")
    parser.add_argument("--pixels", type=int, nargs=2, default=PIXELS, help="width and height")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--variants", nargs="+", help="the first is what others are compared with")
    parser.add_argument("--batch", default=str(BATCH), help="pictures or prompts, or auto")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak", help="internal: run this variant once, print its peak memory")
    parser.add_argument("--folder", type=Path, help="where model and data are, or will be")
    args = parser.parse_args()
    if args.peak:
        bench = Bench(args.folder, args)
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak, which included loading
        getattr(bench, args.peak)()
        if bench.adapter.device.type == "cuda":
            print(torch.cuda.max_memory_allocated() / 1e6)
            return
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        print(int(peak[1]) / 1024)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(args, args.folder or Path(folder))


if __name__ == "__main__":
    main()
