"""Measure the time and memory of a training step of each arm, on a randomly initialised LLaVA.

Each arm runs in a process of its own.

    PYTHONPATH=workflow OMP_NUM_THREADS=1 python bench/tuning_cost.py --size 1b --dtype bfloat16 \
        --items 2 --steps 2 --parts prompt_5 lora_vision lora_connector lora_lm
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from random_llava import QUESTIONS, build_model
from tuning import settings

from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec, defaults
from eyechart.tuning import arms
from eyechart.tuning.questions import TunedItems


def time_steps(args: argparse.Namespace, folder: Path, arm: str) -> None:
    """Print one arm's line, with the memory before its steps and at their peak."""
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    fields = {"family": "llava", "kind": "vlm", "checkpoint": "bench", "revision": None}
    fields |= {"vision_blocks": None, "lm_blocks": None, "licence": "none", "dtype": args.dtype}
    spec = Spec(**(defaults() | fields))
    adapter: Any = load(spec, folder, LoadOptions("cpu", dtype=args.dtype))
    if args.checkpointing:
        arms.save_memory(adapter.model)
    shown, items = {}, []
    for n in range(args.items):
        Image.effect_noise((160, 120), 60 + n).convert("RGB").save(folder / f"{n}.png")
        shown[f"i{n}"] = {"path": str(folder / f"{n}.png"), "width": 160, "height": 120}
        item = {"item_id": f"q{n}", "images": [f"i{n}"], "prompt": QUESTIONS[n % len(QUESTIONS)]}
        items.append(item | {"choices": ["yes", "no"], "answer": "yes"})
    questions = TunedItems(adapter, settings().style(), "mean", shown, args.items)
    learner = arms.make_arm(adapter, arm, args.rank, questions.words(items))
    learner.start(0)
    questions.tune(learner.components)
    questions.share = not args.checkpointing
    optimizer, times = torch.optim.AdamW(learner.parameters.values(), lr=1e-3), []
    held = peak_mb()
    for _ in range(args.steps):
        start = time.process_time()
        questions.loss(items, blank=False).backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.process_time() - start)
    count = sum(p.numel() for p in learner.parameters.values())
    print(f"| {args.size} {args.dtype} | `{arm}` | {args.items} | {args.checkpointing} | "
          f"{count:,} | {min(times):.2f} | {held} | {peak_mb()} |", flush=True)  # fmt: skip


def peak_mb() -> int:
    """Return the peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Print the time and peak memory of each arm's training steps on a random model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arms_named = [*arms.LORA, "prompt_5"]
    parser.add_argument("--parts", nargs="+", choices=arms_named, default=list(arms.LORA))
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rank", type=int, default=3)
    parser.add_argument("--size", default="2m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--checkpointing", action="store_true")
    args = parser.parse_args()
    print("| model | arm | items | checkpointing | parameters | step, s | MB before | MB after |")
    print("|---" * 8 + "|", flush=True)
    alone = multiprocessing.get_context("spawn")  # one process each, since peak memory never falls
    with tempfile.TemporaryDirectory() as name:
        build = (Path(name), args.size, getattr(torch, args.dtype))
        tasks = [
            (build_model, build),
            *((time_steps, (args, Path(name), arm)) for arm in args.parts),
        ]
        for task, given in tasks:
            process = alone.Process(target=task, args=given)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{task.__name__} ended with {process.exitcode}")


if __name__ == "__main__":
    main()
