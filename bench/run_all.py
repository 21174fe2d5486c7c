"""Run every benchmark at a small size and rewrite the short tables in the pages of bench/.

    make bench

Machines differ, so only ratios and memory sizes are kept. If there is nothing to compare with,
processor time is given in units of a matrix product, timed just before. This takes under ten
minutes on two free cores. bench/gpu.sh needs a GPU, and bench/tuning.py needs a dataset's tables,
so neither is run; of tuning, only the cost of training steps is measured.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import tables

# Page, script and flags, in the order in which ``make bench`` runs them
SMALL = [
    ("extraction", "extraction.py --size 2m --pictures 64 --questions 1 --rounds 5"),
    ("extraction", "extraction.py --size 2m --pictures 64 --questions 1 --rounds 5 --pixels 80 80"),
    ("extraction", "extraction.py --size 60m --pictures 8 --questions 1 --rounds 3 --batch auto"),
    ("extraction", "extraction.py --size 2m --pictures 16 --questions 10 --rounds 3"),
    ("answering", "answering.py --size 2m --pictures 16 --rounds 3"),
    ("families", "families.py --pictures 8 --rounds 2 --families llava llava_next clip siglip"),
    ("interventions", "interventions.py --size 2m --pictures 4 --questions 2 --rounds 1"),
    ("concepts", "concepts.py --columns 2"),
    ("mining", "mining.py --images 10000 --case planted"),
    ("planning", "planning.py --rounds 1"),
    ("probing", "probing.py --examples 600 --rounds 1 --threads 1"),
    ("probing", "wide_probes.py --addresses 2 --threads 1 --width 448 --rows 2000"),
    ("starting", "starting.py --rounds 3"),
    ("readout", "readout.py --task semantic_correspondence --items 20 --addresses 2"),
    ("tuning", "tuning_cost.py --items 4 --steps 2"),
]
PEERS = "peers.py --size 2m 60m --pictures 32 8 --questions 10 1 --rounds 2"
TIMES = (" s", "/s")  # ends of the names of columns with machine-dependent values
PRODUCT = """
import numpy, time
a, took = numpy.ones((2048, 2048), "float32"), []
for _ in range(5):
    start = time.process_time()
    a @ a
    took.append(time.process_time() - start)
print(min(took))
"""
UNIT = ", in products of two 2,048 × 2,048 matrices (float32)"


def run(*command: str | Path) -> str:
    """Return the output of a Python run; exit with its error if it fails."""
    paths = [tables.FOLDER.parent / part for part in ("workflow", "tests/families", "tests/unit")]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(map(str, paths))}
    done = subprocess.run(
        [sys.executable, *command], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip()


def bench(script: str) -> str:
    """Return the output of a benchmark in this folder, given its name and flags."""
    name, *flags = script.split()
    return run(tables.FOLDER / name, *flags)


def processor() -> float:
    """Return the processor time of all benchmarks so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ratios(printed: str, product: float) -> str:
    """Return the printed text for a page, with tables without seconds and JSON as a table.

    ``product`` is the unit of JSON's times, in seconds.
    """
    if printed.startswith("{"):
        return tables.table(["measured", "value"], flat(json.loads(printed), product))
    lines = printed.splitlines()
    head = next(cells(line) for line in lines if line.startswith("|"))
    kept = [n for n, name in enumerate(head) if not name.endswith(TIMES)]
    return "\n".join(
        "| " + " | ".join(cells(line)[n] for n in kept) + " |" if line.startswith("|") else line
        for line in lines
    )


def cells(line: str) -> list[str]:
    """Return the cells of a Markdown table row."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def flat(value: dict, product: float, before: str = "") -> list[list[object]]:
    """Return the (name, value) rows of a nested report, with numbers to three digits.

    Wall times and lists are left out, since they reflect the machine more than the work.
    """
    rows: list[list[object]] = []
    for name, one in value.items():
        if isinstance(one, dict):
            rows += flat(one, product, f"{before}{name} ")
        elif name.endswith("_s") and "clock" not in before + name:
            rows.append([f"{before}{name[:-2]}{UNIT}", f"{one / product:.3g}"])
        elif not name.endswith("_s") and not isinstance(one, list) and one is not None:
            rows.append([before + str(name), f"{one:.3g}" if isinstance(one, float) else one])
    return rows


def main() -> None:
    pages = list(dict.fromkeys(page for page, _ in SMALL))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", nargs="+", choices=pages, default=pages, help="only these")
    parser.add_argument("--vlm-lens", type=Path, help="a clone of VLM-Lens, for peers.py")
    parser.add_argument("--python", type=Path, help="a Python with what the peers need")
    args = parser.parse_args()
    for page in args.pages:
        texts = []
        for script in (script for of, script in SMALL if of == page):
            start = time.perf_counter(), processor()
            texts.append(f"`bench/{script}`:\n\n{ratios(bench(script), float(run('-c', PRODUCT)))}")
            took = time.perf_counter() - start[0], processor() - start[1]
            print("{:4.0f} s, {:4.0f} s of processor  ".format(*took) + script, flush=True)
        tables.rewrite(f"{page}.md", "small", "\n\n".join(texts))
    if args.python:
        flags = f"--python {args.python} --write"
        print(bench(f"{PEERS} {flags}" + (f" --vlm-lens {args.vlm_lens}" if args.vlm_lens else "")))
    else:
        print("bench/peers.py DID NOT RUN: give PEERS='--vlm-lens <clone> --python <python>'")


if __name__ == "__main__":
    main()
