"""Run every benchmark at a small size, and rewrite the short tables in the pages of bench/.

    make bench

Machines differ: only ratios are kept of tables that have them, and sizes of memory. Under ten
minutes on two free cores. bench/gpu.sh is for a machine with a GPU.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import tables

# Page, script and its flags; ``make bench`` runs them in this order
SMALL = [
    ("extraction", "extraction.py --size 2m --pictures 64 --questions 1 --rounds 5"),
    ("extraction", "extraction.py --size 60m --pictures 8 --questions 1 --rounds 3 --batch auto"),
    ("extraction", "extraction.py --size 2m --pictures 16 --questions 10 --rounds 3"),
    ("answering", "answering.py --size 2m --pictures 16 --rounds 3"),
    ("families", "families.py --pictures 8 --rounds 2 --families llava llava_next clip siglip"),
    ("interventions", "interventions.py --size 2m --pictures 4 --questions 2 --rounds 1"),
    ("concepts", "concepts.py --columns 2"),
    ("mining", "mining.py --images 5000 --case all"),
    ("probing", "probing.py --examples 600 --rounds 1 --threads 1"),
    ("readout", "readout.py --task semantic_correspondence --items 20 --addresses 2"),
]
PEERS = "peers.py --size 2m 60m --pictures 32 8 --questions 10 1 --rounds 2"
TIMES = (" s", "/s")  # how heads of columns end that depend on the machine


def run(script: str) -> str:
    """Return what a benchmark prints; end with its error where it fails."""
    name, *flags = script.split()
    paths = [tables.FOLDER.parent / part for part in ("workflow", "tests/families", "tests/unit")]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(map(str, paths))}
    command = [sys.executable, str(tables.FOLDER / name), *flags]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench/{script} failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip()


def ratios(printed: str) -> str:
    """Return a page's text of what was printed: tables without seconds, JSON as a table."""
    if printed.startswith("{"):
        return tables.table(["measured", "value"], flat(json.loads(printed)))
    lines = printed.splitlines()
    head = next(cells(line) for line in lines if line.startswith("|"))
    kept = [n for n, name in enumerate(head) if not name.endswith(TIMES)]
    return "\n".join(
        "| " + " | ".join(cells(line)[n] for n in kept) + " |" if line.startswith("|") else line
        for line in lines
    )


def cells(line: str) -> list[str]:
    """Return the cells of a row of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def flat(value: dict, before: str = "") -> list[list[object]]:
    """Return the rows of a nested report: name and value, numbers with three digits."""
    rows: list[list[object]] = []
    for name, one in value.items():
        if isinstance(one, dict):
            rows += flat(one, f"{before}{name} ")
        else:
            rows.append([before + str(name), f"{one:.3g}" if isinstance(one, float) else one])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vlm-lens", type=Path, help="a clone of VLM-Lens, for peers.py")
    parser.add_argument("--python", type=Path, help="a Python with what the peers need")
    args = parser.parse_args()
    texts: dict[str, list[str]] = {}
    for page, script in SMALL:
        start = time.perf_counter()
        text = f"`bench/{script}`:\n\n{ratios(run(script))}"
        texts.setdefault(page, []).append(text)
        print(f"{time.perf_counter() - start:4.0f} s  bench/{script}", flush=True)
    for page, own in texts.items():
        tables.rewrite(f"{page}.md", "small", "\n\n".join(own))
    if args.python:
        flags = f"--python {args.python} --write"
        print(run(f"{PEERS} {flags}" + (f" --vlm-lens {args.vlm_lens}" if args.vlm_lens else "")))
    else:
        print("bench/peers.py DID NOT RUN: give PEERS='--vlm-lens <clone> --python <python>'")


if __name__ == "__main__":
    main()
