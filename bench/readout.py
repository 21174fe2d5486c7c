"""Measure the time and memory of readouts at every address of a model of typical size.

Reads nothing; writes JSON to stdout. Tokens are random and stored as shards in a temporary folder,
with two images and a canvas per item, or three images for style. Depth heads are not timed.

    PYTHONPATH=workflow:tests/unit OMP_NUM_THREADS=2 python bench/readout.py \
        --task semantic_correspondence --items 130 --addresses 30
    PYTHONPATH=workflow:tests/unit OMP_NUM_THREADS=2 python bench/readout.py \
        --task art_style --items 20 --addresses 2  # quick
"""

import argparse
import json
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from planted_activations_fixture import NAMES, PX, grid, item, region, write_dataset

from eyechart.core.files import describe, write_json
from eyechart.core.randomness import generator
from eyechart.readout import read_out
from eyechart.tables.activations import PLACE, column

SIDE = 24  # tokens along one side of an image
ROWS = 32  # per row group: 36 MB in each column


def memory(key: str) -> int:
    """Return a line of /proc/self/status in bytes."""
    return int(Path("/proc/self/status").read_text().split(f"{key}:")[1].split()[0]) * 1024


def lists(rows: list[np.ndarray]) -> pa.Array:
    offsets = np.cumsum([0, *(len(one) for one in rows)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), column(np.concatenate(rows)))


def write_tokens(folder: Path, ids: list[str], addresses: list[str], width: int) -> None:
    """Write one part of random float16 tokens, with ``ROWS`` images per row group."""
    rng = generator("bench readout")
    vector = pa.list_(pa.list_(pa.float16(), width))
    names = [f"{address}/image_tokens" for address in addresses]
    fields = [("image_id", pa.string()), *((name, vector) for name in names)]
    fields.append(("vision/places", pa.list_(pa.list_(pa.float32(), len(PLACE)))))
    path = folder / "part-000.parquet"
    folder.mkdir()
    with pq.ParquetWriter(path, pa.schema(fields), compression="zstd", use_dictionary=False) as out:
        for start in range(0, len(ids), ROWS):
            few = ids[start : start + ROWS]
            tokens = [rng.standard_normal((SIDE**2, width), np.float32) for _ in few]
            drawn = lists([one.astype(np.float16) for one in tokens])  # at every address
            columns = [pa.array(few), *(drawn for _ in names), lists([grid(SIDE, SIDE)] * len(few))]
            out.write_table(pa.table(columns, out.schema))
    manifest = {**NAMES, "scope": "image", "rows": len(ids)}
    manifest["columns"] = [
        {"name": n, "address": n.split("/")[0], "span": "image_tokens", "width": width}
        for n in names
    ]
    manifest["places"] = [{"name": "vision/places", "of": names}]
    manifest["parts"] = [{**describe(path), "path": path.name, "rows": len(ids)}]
    write_json(folder / "manifest.json", manifest)


def write_items(root: Path, task: str, count: int) -> list[str]:
    """Write items, shown alone and on a canvas; return the ids of all images."""
    rng = generator("bench readout items")
    points = task != "art_style"
    letters = "ABCD" if points else "AB"
    names = ["REF", *letters]
    items, regions, ids = [], [], []
    for i in range(count):
        views = [f"p{i:04d}_{k}" for k in range(2 if points else 3)]
        canvas = f"p{i:04d}_canvas"
        ids += [*views, canvas]
        items.append(item(i, task, letters, letters[rng.integers(len(letters))], [canvas]))
        for k, name in enumerate(names):
            view = views[min(k, len(views) - 1)]
            share = PX / len(views)
            left = share * min(k, len(views) - 1)
            box = rng.uniform(5, PX - 5, 2) if points else (0, 0, PX, PX)
            there = (left + 4, box[1]) if points else (left, 0, left + share, PX)
            regions.append(region(items[-1], "alone", view, name, *box))
            regions.append(region(items[-1], "canvas", canvas, name, *there))
    write_dataset(root, items, regions)
    return ids


def main() -> None:
    """Run one case and print its time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--addresses", type=int, required=True)
    parser.add_argument("--width", type=int, default=1024)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ids = write_items(root, args.task, args.items)
        addresses = [f"vision.{i}" for i in range(args.addresses)]
        # in a separate process, since freed memory would hide the memory taken by reading
        own = get_context("spawn").Process(
            target=write_tokens, args=(root / "image", ids, addresses, args.width)
        )
        own.start()
        own.join()
        manifest = root / "image/manifest.json"
        stored = (root / "image/part-000.parquet").stat().st_size
        words = [w for k, v in NAMES.items() for w in (f"--{k}", v)]
        for name in ("items", "regions", "scores", "predictions"):
            words += [f"--{name}", str(root / f"{name}.parquet")]
        words += ["--manifests", str(manifest), "--heads", "--answers", "--seed", "0"]
        words += ["--threads", "2"]
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        clock, processor = time.perf_counter(), time.process_time()
        read_out.main(words)
        report = {
            **vars(args),
            "images": len(ids),
            "stored_gb": round(stored / 1e9, 2),
            "clock_s": round(time.perf_counter() - clock, 1),
            "processor_s": round(time.process_time() - processor, 1),
            "grown_mb": round((memory("VmHWM") - before) / 1e6),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
