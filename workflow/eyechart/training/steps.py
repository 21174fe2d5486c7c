"""Shared code of the training steps: flags, data, outputs."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eyechart.core.device import device_of
from eyechart.core.files import describe, sha256, write_json
from eyechart.core.fingerprint import fingerprint
from eyechart.training.loop import Row, write_curve

READY = "ready.json"
NEEDS = ("vision", "language")  # earlier models that a stage may start from


def parse_args(argv: list[str], doc: str | None, needs: Sequence[str] = ()) -> argparse.Namespace:
    """Parse a training step's flags; every flag is required.

    Parameters
    ----------
    needs : sequence of str
        Subset of ``NEEDS``: each becomes a flag for that model's ``ready.json``.
    """
    parser = argparse.ArgumentParser(description=(doc or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--receipt", type=Path, required=True)
    parser.add_argument("--recipe", type=json.loads, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], required=True)
    for name in needs:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--curve", type=Path, required=True)
    args = parser.parse_args(argv)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    args.device = device_of(args.device)
    return args


def identity(args: argparse.Namespace, stage: str, step: str) -> dict[str, Any]:
    """Return what must match for a checkpoint to be resumed.

    It is everything the weights depend on: recipe and seed, device (float sums differ), code of the
    step (its module's dotted name), images, and the models it starts from.
    """
    read = [args.receipt, *(getattr(args, need) for need in NEEDS if hasattr(args, need))]
    return {
        "stage": stage,
        "seed": args.seed,
        "recipe": args.recipe,
        "device": args.device.type,
        "code": fingerprint(step),
        "read": [sha256(path) for path in read],
    }


def make_deterministic(threads: int) -> None:
    """Fix the number of threads (it changes the order of float sums) and forbid random kernels."""
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required for deterministic cuBLAS
    torch.use_deterministic_algorithms(True)
    # nothing reads uninitialised memory here, and filling it is slow
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def checkpoint_path(args: argparse.Namespace) -> Path:
    """Return the path of a stage's checkpoint, in its own folder beside the output."""
    return Path(f"{args.output.parent}.checkpoint.safetensors")


def finish(
    args: argparse.Namespace, stage: str, curve: list[Row], saved: list[tuple[Any, dict[str, Any]]]
) -> None:
    """Save model, processor and curve; write ``ready.json`` last; remove the checkpoint."""
    folder = args.output.parent
    for part, options in saved:
        part.save_pretrained(folder, **options)
    write_curve(args.curve, stage, curve)
    files = sorted(p for p in folder.iterdir() if p.name != READY)
    entries = [{**describe(p), "path": p.name} for p in files]
    write_json(args.output, {"stage": stage, "recipe": args.recipe, "files": entries})
    checkpoint_path(args).unlink(missing_ok=True)
