"""Shared code of the training steps: flags, data, outputs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from eyechart.core.device import device_of
from eyechart.core.files import describe, sha256, write_json
from eyechart.core.fingerprint import fingerprint
from eyechart.core.step import Json
from eyechart.training.loop import Row, write_curve

READY = "ready.json"


@dataclass(frozen=True)
class Training:
    """The flags that every training step has."""

    receipt: Path
    recipe: Json
    seed: int
    device: Literal["auto", "cpu", "cuda"]
    output: Path
    curve: Path

    @property
    def place(self) -> torch.device:
        """The device to train on."""
        return device_of(self.device)


def identity(args: Training, stage: str, step: str, *starts: Path) -> dict[str, Any]:
    """Return the values that must match for a checkpoint to be resumed.

    The weights depend on all of them: recipe and seed, device (float sums differ), the code of the
    step (its module's dotted name), images, and the starting models (their ``ready.json``).
    """
    return {
        "stage": stage,
        "seed": args.seed,
        "recipe": args.recipe,
        "device": args.place.type,
        "code": fingerprint(step),
        "read": [sha256(path) for path in (args.receipt, *starts)],
    }


def make_deterministic(threads: int) -> None:
    """Fix the number of threads, which changes float sums, and forbid random kernels."""
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required for deterministic cuBLAS
    torch.use_deterministic_algorithms(True)
    # filling new memory is slow, and nothing here reads it uninitialised
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def checkpoint_path(args: Training) -> Path:
    """Return the path of a stage's checkpoint, in its own folder next to the output."""
    return Path(f"{args.output.parent}.checkpoint.safetensors")


def finish(
    args: Training, stage: str, curve: list[Row], saved: list[tuple[Any, dict[str, Any]]]
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
