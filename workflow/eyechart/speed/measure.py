"""Measure the cost of running a model: loading, time per item, memory and operations.

Reads the model's spec and checkpoint; writes a table with a row per precision and batch size. Each
precision runs in its own process, so that peak memory is measured separately. Images are seeded
noise of COCO's usual size, since the cost depends only on their size.

    python -m eyechart.speed.measure --model tiny_llava \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --settings '{"items": 32, "largest": 16, "precisions": ["float32"]}' \
        --seed 7 --output results/speed/tiny_llava.parquet
"""

from __future__ import annotations

import re
import resource
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from eyechart.core.device import device_of
from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.core.step import Fields, command
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags, LoadOptions
from eyechart.models.spec import Spec
from eyechart.tables.parquet import write_table
from eyechart.tables.speed import SPEED

PICTURE = (640, 480)  # pixels
QUESTION = "What is in the image?"
BITS = {"8 bit": 8, "4 bit": 4}
# Operations per second of dense matrix products, from the makers' data sheets
PEAKS = {
    "A40": {"float32": 37.4e12, "bfloat16": 149.7e12},
    "A100": {"float32": 19.5e12, "bfloat16": 312e12},
    "L40S": {"float32": 91.6e12, "bfloat16": 362e12},
    "H100": {"float32": 67e12, "bfloat16": 989e12},
    "H200": {"float32": 67e12, "bfloat16": 989e12},
}
Measured = dict[str, Any]
Item = tuple[PreparedImage, Row | None]


@dataclass(frozen=True)
class SpeedSettings:
    """The config section ``speed``."""

    items: int  # images, each with a prompt
    largest: int  # largest batch size; 1, 2, 4, … are tried up to it
    precisions: list[str]


Asked = tuple[Spec, Path, LoadOptions, SpeedSettings, int]  # the last is the seed


@command
def main(
    *, model: str, settings: Fields[SpeedSettings], seed: int, output: Path, flags: LoadFlags
) -> None:
    """Write the table of one model."""
    rows: list[Measured] = []
    for precision in settings.precisions:
        spec, checkpoint, options = flags.what()
        options = replace(options, dtype=precision, bits=None)
        if precision in BITS:
            options = replace(options, dtype="bfloat16", bits=BITS[precision])
        asked = (spec, checkpoint, options, settings, seed)
        rows += [{"model": model, "precision": precision, **row} for row in alone(asked)]
    write_table(output, pa.Table.from_pylist(rows, SPEED))


def alone(asked: Asked) -> list[Measured]:
    """Return the rows of a precision, measured in a separate process."""
    options: LoadOptions = asked[2]
    on_gpu = device_of(options.device).type == "cuda"
    if options.bits and not on_gpu:
        return [{"device": "cpu", "why": f"{options.bits} bit weights need a GPU"}]
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(measured, asked, torch.get_num_threads()).result()
    except UserError as error:
        return [{"device": options.device, "why": str(error)}]


def measured(asked: Asked, threads: int) -> list[Measured]:
    """Return a row per batch size."""
    spec, checkpoint, options, settings, seed = asked
    torch.set_num_threads(threads)
    start = time.perf_counter()
    adapter = load(spec, checkpoint, options)
    synchronize(adapter.device)
    loading = time.perf_counter() - start
    cuda = adapter.device.type == "cuda"
    name = torch.cuda.get_device_name(adapter.device) if cuda else adapter.device.type
    items = [item(adapter, image) for image in pictures(settings.items, seed)]
    flops = operations(adapter, items[0])
    precision = str(options.precision(spec)).removeprefix("torch.")
    peak = None if options.bits else peak_of(name, precision)
    shared: Measured = {"device": name, "threads": threads, "load": loading, "flops": flops}
    shared["parameters"] = sum(p.numel() for p in adapter.model.parameters())
    rows: list[Measured] = []
    most = min(settings.largest, adapter.MAX_IMAGES_PER_PASS or settings.largest)
    for size in sizes(min(most, len(items))):
        seconds, host, device = timed(adapter, items, size)
        share = flops / seconds / peak if peak else None
        of_size = {"batch_size": size, "seconds": seconds, "host": host, "device_memory": device}
        rows.append({**shared, **of_size, "share": share})
    quickest = min(row["seconds"] for row in rows)
    return [{**row, "best": row["seconds"] == quickest} for row in rows]


def sizes(most: int) -> Iterator[int]:
    """Yield 1, 2, 4, … up to ``most``."""
    size = 1
    while size <= most:
        yield size
        size *= 2


def pictures(count: int, seed: int) -> Iterator[Image.Image]:
    """Yield seeded images."""
    draw = generator("speed", seed)
    for _ in range(count):
        coarse = Image.fromarray(draw.integers(0, 255, (30, 40, 3), dtype=np.uint8))
        yield coarse.resize(PICTURE, Image.Resampling.BICUBIC)


def item(adapter: Adapter, image: Image.Image) -> Item:
    """Return a preprocessed image, and a prompt about it if the model reads prompts."""
    shown = replace(adapter.prepare_image(image), size=image.size)
    if not isinstance(adapter, LanguageAdapter):
        return shown, None
    return shown, adapter.row(QUESTION, [shown])


def run(adapter: Adapter, few: list[Item]) -> None:
    """Run images and the prompts about them through the model."""
    with torch.inference_mode():
        encoded = adapter.encode_images([shown for shown, _ in few])
        rows = [row for _, row in few if row is not None]
        if isinstance(adapter, LanguageAdapter):
            adapter.read(adapter.tokens(rows, encoded))
    synchronize(adapter.device)


def timed(adapter: Adapter, items: list[Item], size: int) -> tuple[float, float, float | None]:
    """Return the median time per item in batches of this size, and the memory peaks in MB."""
    cuda = adapter.device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(adapter.device)
    run(adapter, items[:size])  # warms up
    seconds = []
    for first in range(0, len(items) - size + 1, size):
        start = time.perf_counter()
        run(adapter, items[first : first + size])
        seconds.append((time.perf_counter() - start) / size)
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    device = torch.cuda.max_memory_allocated(adapter.device) / 1e6 if cuda else None
    return statistics.median(seconds), host, device


def operations(adapter: Adapter, one: Item) -> float:
    """Return the number of operations per item."""
    with FlopCounterMode(display=False) as counter:
        run(adapter, [one])
    return float(counter.get_total_flops())


def peak_of(device: str, precision: str) -> float | None:
    """Return a device's peak operations per second, if known."""
    words = re.split(r"\W+", device)
    found = (peaks for name, peaks in PEAKS.items() if name in words and "PCIe" not in words)
    return next(found, {}).get(precision)


def synchronize(device: torch.device) -> None:
    """Wait for a GPU to finish."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
