"""Time the concept similarity sweep over components, addresses and spans.

Reads nothing; writes JSON to stdout. Vectors follow font colour, word and background with weights
0.6, 0.3 and 0.1, plus noise. Only the step's computation is timed, not its reading and writing.

    PYTHONPATH=workflow OMP_NUM_THREADS=2 python bench/concepts.py --columns 39
    PYTHONPATH=workflow OMP_NUM_THREADS=2 python bench/concepts.py --columns 2 # quick
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.concepts.compare import compare_column
from eyechart.concepts.vectors import CUES, ImageSet
from eyechart.core.randomness import generator

SETTINGS = {"components": 50, "neighbours": 5, "power": 1, "shown": 5, "threshold": 0.8}


def make_bank(colors: int, pictures: int) -> ImageSet:
    """Return the full grid of ``colors`` colours in 27 groups, and ``pictures`` images of each."""
    names = [f"color_{n:02d}" for n in range(colors)]
    grid = np.array(list(itertools.product(range(colors), repeat=3)))
    words = pl.DataFrame({cue: [names[c] for c in grid[:, i]] for i, cue in enumerate(CUES)})
    ids = [f"word_{n:05d}" for n in range(len(grid))]
    groups = [f"group_{n % 27}" for n in range(len(grid))]
    words = words.with_columns(id=pl.Series(ids), image_id=pl.Series(ids), group=pl.Series(groups))
    labels = np.repeat(np.arange(colors), pictures)
    own = [f"concept_{n:05d}" for n in range(len(labels))]
    concepts = {"id": own, "image_id": own, "group": own, "concept": [names[c] for c in labels]}
    return ImageSet(names, "", words, pl.DataFrame(concepts), grid.T, labels)


def make_vectors(bank: ImageSet, width: int, name: str) -> np.ndarray:
    """Return vectors of words, then of concepts, float32 (m + n_c, width)."""
    rng = generator("bench concepts", name)
    directions = rng.standard_normal((bank.k, width))
    words = np.tensordot([0.3, 0.6, 0.1], directions[bank.cues], 1)
    means = np.concatenate([words, directions[bank.labels]])
    return (means + rng.standard_normal(means.shape)).astype(np.float32)


def main() -> None:
    """Run one case and print its time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--columns", type=int, required=True)
    parser.add_argument("--colors", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=10)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--permutations", type=int, default=100)
    parser.add_argument("--bootstrap", type=int, default=1000)
    args = parser.parse_args()
    bank = make_bank(args.colors, args.pictures)
    m, n_c = bank.cues.shape[1], len(bank.labels)
    rows = [(np.arange(m), m + np.arange(n_c))]
    settings = {**SETTINGS, "permutations": args.permutations, "bootstrap": args.bootstrap}
    vectors = [make_vectors(bank, args.width, str(n)) for n in range(args.columns)]
    clock, processor, written = time.perf_counter(), time.process_time(), 0
    for own in vectors:
        written += sum(len(table) for table in compare_column(own, rows, [bank], settings, 7))
    took = {"clock_s": time.perf_counter() - clock, "processor_s": time.process_time() - processor}
    memory = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    report = {**vars(args), "words": m, "concepts": n_c, "rows": written}
    report |= {k: round(v, 1) for k, v in took.items()} | {"peak_mb": int(memory) // 1000}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
