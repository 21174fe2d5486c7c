"""One training loop for every stage: deterministic, checkpointed, resumable, with curves.

All randomness of a step comes from a generator seeded by (seed, stage, step), so a run that was
killed and resumed yields the same weights as an uninterrupted one.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from eyechart.core import randomness
from eyechart.core.files import atomic
from eyechart.tables.curves import CURVE
from eyechart.tables.parquet import write_table

Parameters = dict[str, torch.nn.Parameter]
Row = tuple[int, str, float]


def step_generator(seed: int, stage: str, step: int) -> torch.Generator:
    """Return the random generator of one training step."""
    return torch.Generator().manual_seed(randomness.seed_for("train", seed, stage, step) % 2**62)


def learning_rate(step: int, settings: dict[str, Any]) -> float:
    """Return the factor on the learning rate: linear warm-up, then cosine to ``final_lr_share``."""
    warmup, steps, lowest = settings["warmup"], settings["steps"], settings["final_lr_share"]
    if step < warmup:
        return float((step + 1) / warmup)
    progress = (step - warmup) / max(1, steps - warmup)
    return float(lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * progress)))


def fit(
    parameters: Parameters,
    loss: Callable[[torch.Generator], torch.Tensor],
    evaluate: Callable[[], dict[str, float]],
    settings: dict[str, Any],
    identity: dict[str, Any],
    checkpoint: Path,
) -> list[Row]:
    """Train until the last step and return the curve.

    Parameters
    ----------
    parameters : dict of name -> Parameter; the trained parameters; all others stay unchanged
    loss : returns the loss of one step, given the step's generator
    evaluate : returns held-out metrics by name
    settings : ``steps``, ``lr``, ``lr_vision`` (share of ``lr`` for parameters of a vision tower),
        ``weight_decay``, ``warmup``, ``final_lr_share``, ``clip_norm``, ``log_every``,
        ``eval_every``, ``checkpoint_every``
    identity : ``stage``, ``seed`` and all other values that must match for a checkpoint to be
        resumed
    checkpoint : a safetensors file next to the outputs; the caller removes it once they are
        complete
    """
    optimizer = _optimizer(parameters, settings)
    first, curve = _resume(parameters, optimizer, identity, checkpoint)
    running: list[float] = []
    progress_bar = tqdm(
        range(first, settings["steps"]),
        initial=first,
        total=settings["steps"],
        desc=identity["stage"],
        unit="step",
        mininterval=5,
    )
    for step in progress_bar:
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * learning_rate(step, settings)
        optimizer.zero_grad(set_to_none=True)
        value = loss(step_generator(identity["seed"], identity["stage"], step))
        value.backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), settings["clip_norm"])
        optimizer.step()
        running.append(float(value.detach()))
        done = step + 1
        if done % settings["log_every"] == 0 or done == settings["steps"]:
            curve.append((done, "loss", sum(running) / len(running)))
            progress_bar.set_postfix(loss=f"{curve[-1][2]:.3f}")
            running = []
        if done % settings["eval_every"] == 0 or done == settings["steps"]:
            curve += [(done, name, metric) for name, metric in evaluate().items()]
            tqdm.write(json.dumps({m: round(v, 3) for s, m, v in curve if s == done}))
        if done % settings["checkpoint_every"] == 0 or done == settings["steps"]:
            _save(parameters, optimizer, identity, checkpoint, done, curve)
    return curve


def write_curve(path: Path, stage: str, curve: list[Row]) -> None:
    """Write a curve as a table of (stage, step, metric, value)."""
    rows = [{"stage": stage, "step": s, "metric": m, "value": v} for s, m, v in curve]
    write_table(path, pa.Table.from_pylist(rows, CURVE))


def _optimizer(parameters: Parameters, settings: dict[str, Any]) -> torch.optim.Optimizer:
    """Return AdamW with four groups: with weight decay or without (vectors), by vision tower."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in parameters.items():
        groups.setdefault((parameter.ndim >= 2, "vision_tower" in name), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": members,
                "base_lr": settings["lr"] * (settings["lr_vision"] if vision else 1.0),
                "weight_decay": settings["weight_decay"] if matrix else 0.0,
            }
            for (matrix, vision), members in sorted(groups.items())
        ],
        lr=settings["lr"],
        betas=(0.9, 0.98),
    )


def _save(
    parameters: Parameters,
    optimizer: torch.optim.Optimizer,
    identity: dict[str, Any],
    path: Path,
    step: int,
    curve: list[Row],
) -> None:
    tensors = {f"parameter/{n}": p.detach().contiguous() for n, p in parameters.items()}
    for name, parameter in parameters.items():
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer/{key}/{name}"] = value.detach().contiguous()
    note = {"identity": _canonical(identity), "step": str(step), "curve": json.dumps(curve)}
    with atomic(path) as partial:
        save_file(tensors, partial, metadata=note)


def _resume(
    parameters: Parameters, optimizer: torch.optim.Optimizer, identity: dict[str, Any], path: Path
) -> tuple[int, list[Row]]:
    """Load a checkpoint of the same identity, if any; return the next step and the curve."""
    if not path.exists():
        return 0, []
    try:
        with safe_open(path, "pt") as stored:
            note = stored.metadata()
            if note["identity"] != _canonical(identity):
                return 0, []
            for name, parameter in parameters.items():
                parameter.data.copy_(stored.get_tensor(f"parameter/{name}"))
            for key in stored.keys():  # noqa: SIM118  (not a mapping)
                kind, _, rest = key.partition("/")
                if kind == "optimizer":
                    entry, _, name = rest.partition("/")
                    kept = stored.get_tensor(key)
                    # AdamW keeps its step count on the CPU and its moments on the parameter's
                    # device
                    device = parameters[name].device if kept.ndim else kept.device
                    optimizer.state[parameters[name]][entry] = kept.to(device)
    except (SafetensorError, KeyError):
        return 0, []
    return int(note["step"]), [(int(s), str(m), float(v)) for s, m, v in json.loads(note["curve"])]


def _canonical(identity: dict[str, Any]) -> str:
    return json.dumps(identity, sort_keys=True)
