"""Measure the time and memory of the search for pairs.

Writes temporary features to memory-mapped files in `--folder`, and JSON to stdout. `planted`:
random, nearly orthogonal features and 1,000 matching pairs with a cosine of at least 0.955.
`grouped`: the same around 1,000 centres, like real features. `alike`: both encoders find all images
similar, except for 200 that differ from all others in the second, so the search must compare every
pair. `all`: every pair matches. With `--parts`, only parts 0 and 1 are compared, as in one job.

    PYTHONPATH=workflow OMP_NUM_THREADS=2 python bench/mining.py --images 100000 --case planted
    PYTHONPATH=workflow OMP_NUM_THREADS=2 python bench/mining.py --images 5000 --case all # quick
    PYTHONPATH=workflow OMP_NUM_THREADS=2 python bench/mining.py --images 1000000 --width 384 \
        --case planted --engine faiss
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np

from eyechart.core.randomness import generator
from eyechart.mining.cells import divide
from eyechart.mining.search import all_blocks, memory_bound, not_in_order, rows_of, search

PAIRS, ROWS, CENTRES, COSINES = 1000, 4096, 1000, (0.955, 1.0)
SHARED = {"planted": (0, 0), "grouped": (1, 1), "alike": (10, 10), "all": (10, 0)}  # of all rows


def unit(values: np.ndarray) -> np.ndarray:
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


def random_rows(path: Path, n: int, width: int, case: str, side: int) -> np.ndarray:
    """Write unit rows, float32 (n, width), that share a direction with all rows or with a group."""
    rng = generator("bench mining", side)
    found = np.lib.format.open_memmap(path, "w+", np.float32, (n, width))
    centres = unit(rng.standard_normal((CENTRES if case == "grouped" else 1, width), np.float32))
    for start in range(0, n, ROWS):
        rows = rng.standard_normal((min(ROWS, n - start), width), np.float32)
        shared = centres[rng.integers(len(centres), size=len(rows))] * SHARED[case][side]
        found[start : start + ROWS] = unit(unit(rows) + shared)
    found.flush()
    return np.asarray(found)


def features(folder: Path, case: str, n: int, width: int) -> tuple[np.ndarray, np.ndarray, set]:
    """Return both encoders' features and the planted pairs."""
    first, second = (random_rows(folder / f"{s}.npy", n, width, case, s) for s in (0, 1))
    rng = generator("bench mining", "places")
    pairs = min(PAIRS, n // 4)
    one, other = rng.permutation(n)[: 2 * pairs].reshape(2, pairs)
    cosines = rng.uniform(*COSINES, (pairs, 1)).astype(np.float32)
    away = rng.standard_normal((pairs, width), np.float32)
    away = unit(away - (away * first[one]).sum(1, keepdims=True) * first[one])
    first[other] = unit(cosines * first[one] + np.sqrt(1 - cosines**2) * away)
    second[other] = unit(rng.standard_normal((pairs, width), np.float32))
    return first, second, {(min(p), max(p)) for p in zip(one.tolist(), other.tolist(), strict=True)}


def memory() -> dict[str, int]:
    """Return the peak memory, and the current memory without mapped files, in MB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {k: int(lines[k].split()[0]) * 1024 // 10**6 for k in ("VmHWM", "RssAnon", "RssFile")}


def run(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Run the search and return the time and memory used."""
    first, second, planted = features(folder, args.case, args.images, args.width)
    first[:8] @ first[8:16].T  # working memory of the library
    before = memory()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    settings = {"similar": 0.95, "different": 0.6, "block": args.block, "most": 2 * PAIRS}
    clock, processor = time.perf_counter(), time.process_time()
    rows, more, found_by = args.images, 0, {}
    blocks, left_out = None, not_in_order
    if args.engine == "faiss":
        cells = divide(first, settings["similar"], args.recall)
        found_by = {**cells.note, "divide_processor_s": round(time.process_time() - processor, 1)}
        blocks, left_out = cells.blocks(args.block), cells.left_out
        more = cells.memory_bound(args.width)
    elif args.parts > 1:
        parts = [rows_of(args.images, args.parts, part) for part in (0, 1)]
        blocks, rows = all_blocks(*parts, args.block), 2 * math.ceil(args.images / args.parts)
    found = search((first, second), settings, blocks, left_out)
    pairs = set(zip(found.best["i"].tolist(), found.best["j"].tolist(), strict=True))
    return {
        **vars(args),
        **found_by,
        "clock_s": round(time.perf_counter() - clock, 1),
        "processor_s": round(time.process_time() - processor, 1),
        "matching": found.matching,
        "planted_found": len(pairs & planted) / len(planted),
        "peak_mb": memory()["VmHWM"],
        "before_mb": before,
        "stated_mb": round((memory_bound((first, second), settings, rows) + more) / 1e6),
    }


def main() -> None:
    """Run one case and print its time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--case", choices=sorted(SHARED), required=True)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--block", type=int, default=2048)
    parser.add_argument("--engine", choices=["exact", "faiss"], default="exact")
    parser.add_argument("--recall", type=float, default=0.99)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--folder", default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        print(json.dumps(run(args, Path(folder))))


if __name__ == "__main__":
    main()
