"""Time the search for pairs and see how much memory it takes.

Reads nothing; writes JSON to stdout. `planted`: random features, nearly orthogonal, and 100 pairs
that match. `alike`: all pictures are alike to both encoders, but 200 are unlike all others to the
second, so it is asked about every pair. `all`: every pair matches.

    PYTHONPATH=workflow OMP_NUM_THREADS=2 python bench/mining.py --pictures 100000 --case planted
    PYTHONPATH=workflow OMP_NUM_THREADS=2 python bench/mining.py --pictures 5000 --case all # quick
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from eyechart.core.randomness import generator
from eyechart.mining.search import memory_bound, search

PAIRS, ROWS = 100, 4096


def unit(values: np.ndarray) -> np.ndarray:
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


def random_rows(n: int, width: int, shared: float, name: str) -> np.ndarray:
    """Return rows of length 1, float32 (n, width); ``shared``: how much all have in common."""
    rng = generator("bench mining", name)
    found = np.empty((n, width), np.float32)
    common = unit(rng.standard_normal((1, width), np.float32)) * shared
    for start in range(0, n, ROWS):
        rows = rng.standard_normal((min(ROWS, n - start), width), np.float32)
        found[start : start + ROWS] = unit(unit(rows) + common)
    return found


def features(case: str, n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both encoders' features; shuffled rows 2 k and 2 k + 1 form ``PAIRS`` pairs."""
    first = random_rows(n, width, 0 if case == "planted" else 10, "first")
    second = random_rows(n, width, 10 if case == "alike" else 0, "second")
    one, other = generator("bench mining", "places").permutation(n)[: 2 * PAIRS].reshape(2, PAIRS)
    first[other] = first[one]
    if case == "alike":
        second[other] = unit(random_rows(PAIRS, width, 0, "other"))
        second[one] = unit(second[one])
    return first, second


def memory(key: str) -> int:
    """Return a line of /proc/self/status in bytes."""
    return int(Path("/proc/self/status").read_text().split(f"{key}:")[1].split()[0]) * 1024


def main() -> None:
    """Run one case and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, required=True)
    parser.add_argument("--case", choices=["planted", "alike", "all"], required=True)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--block", type=int, default=2048)
    args = parser.parse_args()
    before = memory("VmRSS")
    first, second = features(args.case, args.pictures, args.width)
    first[:8] @ first[8:16].T  # the library's own working memory
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    settings = {"similar": 0.95, "different": 0.6, "block": args.block, "most": 500}
    clock, processor = time.perf_counter(), time.process_time()
    found = search((first, second), settings)
    report = {
        **vars(args),
        "clock_s": round(time.perf_counter() - clock, 1),
        "processor_s": round(time.process_time() - processor, 1),
        "matching": found.matching,
        "kept": len(found.best),
        "grown_mb": round((memory("VmHWM") - before) / 1e6),
        "stated_mb": round(memory_bound((first, second), settings) / 1e6),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
