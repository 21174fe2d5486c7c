"""Compare extraction with VLM-Lens and nnsight on the same model, images, questions, modules.

Each run is a separate process, and the tools take turns (A B C A B C). *Run* excludes imports and
loading. VLM-Lens and nnsight are run as documented, one item at a time; neither is part of this
project. A peer without a path is omitted, with a message.

    PYTHONPATH=workflow OMP_NUM_THREADS=1 python bench/peers.py --size 2m --pictures 32 \
        --questions 10 --rounds 3 --vlm-lens <clone> --python <python with datasets and nnsight>
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tables
from extraction import PIXELS, Bench
from peer_runs import LENS, NNSIGHT, OURS, READ, RUN, Used, read_ours


def set_up(args: argparse.Namespace) -> None:
    """Write the model, the images, the questions and the model's card."""
    bench = Bench(args.folder, args)
    paths, asked = bench.part.paths, bench.part.questions
    items = [(str(paths[q.images[0]]), q.prompt) for q in asked]
    (args.folder / "items.json").write_text(json.dumps(items))
    (args.folder / "card.json").write_text(json.dumps(bench.card))
    (args.folder / "data").symlink_to(args.folder / f"data-{args.pictures}-{args.questions}")


def in_process(args: argparse.Namespace, tool: str, **changed: str) -> Used:
    """Run one tool in a separate process."""
    python = sys.executable if tool == OURS else str(args.python)
    flags = {"size": args.size, "pictures": args.pictures, "questions": args.questions}
    flags |= {"rounds": 1, "batch": args.batch, "folder": args.folder, "work": tool, **changed}
    flags |= {"vlm-lens": args.vlm_lens} if args.vlm_lens else {}
    words = [str(w) for name, value in flags.items() for w in (f"--{name}", value)]
    env = os.environ | {"XDG_CACHE_HOME": str(args.folder / "cache"), "HF_HUB_OFFLINE": "1"}
    command = [python, __file__, *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{tool} did not run:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(args: argparse.Namespace) -> list[list[str]]:
    """Return a row per peer: ratios of its figures to ours, and the largest value difference."""
    set_up(args)
    there = {LENS: args.vlm_lens and args.python, NNSIGHT: args.python}
    peers = [tool for tool in args.peers if there[tool]]
    for tool in set(args.peers) - set(peers):
        print(f"{tool} IS LEFT OUT: --python, and for VLM-Lens --vlm-lens, say where it is")
    first = in_process(args, OURS)  # it times batches
    runs: dict[str, list[Used]] = {tool: [] for tool in (OURS, *peers)}
    for _ in range(args.rounds):
        for tool, done in runs.items():
            done.append(in_process(args, tool))
    in_process(args, OURS, stored="float32")  # for the values
    ours = read_ours(args.folder)
    rows = []
    for tool in peers:
        theirs = READ[tool](args.folder)
        shared = theirs.keys() & ours.keys()
        if not shared:
            raise SystemExit(f"{tool} stored nothing that we stored too")
        differ = max(float(np.abs(theirs[key] - ours[key]).max()) for key in shared)
        modules = len({module for _, _, module in shared})
        rows.append([*row_of(args, tool, runs, first), f"{differ:.1e} at {modules} modules"])
    return rows


def row_of(
    args: argparse.Namespace, tool: str, runs: dict[str, list[Used]], first: Used
) -> list[str]:
    """Return the ratios of a peer's figures to ours, as medians over paired runs."""
    pairs = list(zip(runs[tool], runs[OURS], strict=True))
    wall, cpu = (statistics.median(a[name] / b[name] for a, b in pairs) for name in ("wall", "cpu"))
    (theirs, ours), cold = pairs[-1], statistics.median(r["cpu"] for r in runs[tool]) / first["cpu"]
    work = f"{args.size}, {args.questions} × {args.pictures}"
    peaks = [statistics.median(r["mb"] for r in runs[t]) for t in (tool, OURS)]
    each = f"{theirs['bytes'] / theirs['values']:.1f} / {ours['bytes'] / ours['values']:.2f}"
    found = [tool, work, *(f"{value:.2f}" for value in (wall, cpu, cold))]
    more = f"{ours['values'] / theirs['values']:.1f}"
    return [*found, f"{peaks[0]:.0f} / {peaks[1]:.0f}", each, more]


HEAD = [
    *("peer", "model, questions × images", "run wall, peer / ours", "run CPU"),
    *("run CPU, our first run", "peak MB, peer / ours", "bytes a value"),
    *("values, ours / peer", "largest difference of values"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs="+", required=True, help="of random_llava")
    parser.add_argument("--pictures", nargs="+", type=int, required=True)
    parser.add_argument("--questions", nargs="+", type=int, required=True, help="per picture")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", default="auto")
    parser.add_argument("--vlm-lens", type=Path, help="a clone of it")
    parser.add_argument("--python", type=Path, help="a Python with transformers, datasets, nnsight")
    parser.add_argument("--peers", nargs="+", choices=list(READ), default=list(READ))
    parser.add_argument("--write", action="store_true", help="rewrite the table of peers.md")
    parser.add_argument("--work", choices=list(RUN), help="internal: run this tool once")
    parser.add_argument("--folder", type=Path, help="internal: where model and data are")
    parser.add_argument("--stored", default="float16", help="internal: precision of our files")
    args = parser.parse_args()
    args.dtype, args.device, args.pixels = "float32", "cpu", PIXELS
    rows = []
    for size, pictures, questions in zip(args.size, args.pictures, args.questions, strict=True):
        args.size, args.pictures, args.questions = size, pictures, questions
        if args.work:
            print(json.dumps(RUN[args.work](args)))
            return
        with tempfile.TemporaryDirectory() as folder:
            args.folder = Path(folder)
            rows += compare(args)
    text = tables.table(HEAD, rows)
    if args.write and rows:
        tables.rewrite("peers.md", "peers", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
