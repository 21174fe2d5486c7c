"""Time linear probes on wide features, and measure memory by the number of addresses.

Writes temporary random float16 activations to `--folder`, with a decaying spectrum like real ones,
then trains the probes of one task as a job does. Writes JSON to stdout.

    PYTHONPATH=workflow python bench/wide_probes.py --addresses 2 --threads 1
    PYTHONPATH=workflow python bench/wide_probes.py --addresses 2 --threads 1 --width 512 # quick
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from eyechart.core.files import write_json
from eyechart.core.randomness import generator
from eyechart.probing.examples import Examples
from eyechart.probing.results import tabulate
from eyechart.probing.train_probes import plan_of, train
from eyechart.tables.activations import column

CLASSES, PARTS = 8, 5


def write(folder: Path, y: np.ndarray, width: int, addresses: int) -> Path:
    """Write activations whose first axes partly encode the labels y (n,), and their manifest."""
    rng = generator("bench wide", width)
    spectrum = np.arange(1, width + 1, dtype=np.float32) ** -0.5
    means = rng.standard_normal((CLASSES, width), np.float32) * 0.04
    entries = []
    for number, rows in enumerate(np.array_split(np.arange(len(y)), PARTS)):
        arrays: dict[str, pa.Array] = {"image_id": pa.array([f"{row:06d}" for row in rows])}
        for address in range(addresses):
            noise = rng.standard_normal((len(rows), width), np.float32)
            values = (noise + means[y[rows]]) * spectrum
            arrays[f"lm.{address}/last"] = column(values.astype(np.float16))
        path = folder / f"part-{number:03d}.parquet"
        pq.write_table(pa.table(arrays), path, row_group_size=512, write_page_checksum=True)
        entries.append({"path": path.name})
    names = [{"address": f"lm.{a}", "span": "last", "width": width} for a in range(addresses)]
    columns = [{**one, "name": f"{one['address']}/last"} for one in names]
    manifest = folder / "manifest.json"
    write_json(manifest, {"scope": "image", "columns": columns, "parts": entries})
    return manifest


def main() -> None:
    """Train the probes of one task and print time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--addresses", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--width", type=int, default=3584)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--hidden", type=int, default=0)
    parser.add_argument("--folder", default=None)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    y = generator("bench wide labels").integers(CLASSES, size=args.rows)
    ids, names = [f"{row:06d}" for row in range(args.rows)], [str(k) for k in range(CLASSES)]
    groups, types = np.array(ids), np.array([f"type {row % 50}" for row in range(args.rows)])
    examples = Examples(ids, y, names, groups, types, np.arange(args.rows) < 0.8 * args.rows)
    plan = plan_of(examples, "task", 7, 3, 5)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        manifest = write(Path(folder), y, args.width, args.addresses)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        clock, processor = time.perf_counter(), time.process_time()
        probes = {"mlp": {"hidden": args.hidden}} if args.hidden else {"linear": {}}
        found = train(manifest, examples, plan, probes, torch.device("cpu"))
        trained = time.process_time() - processor
        names = dict.fromkeys(("model", "dataset", "task"), "x") | {"scope": "image"}
        metrics, _ = tabulate(found, examples, plan, names, 1000, 7)
    report = {
        **vars(args),
        "clock_s": round(time.perf_counter() - clock, 1),
        "processor_s": round(time.process_time() - processor, 1),
        "trained_s": round(trained, 1),
        "accuracy": [round(float(v), 3) for v in metrics["accuracy"].to_pylist()[1:3]],
        "before_mb": round(before),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
