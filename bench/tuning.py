"""Damage a component of tiny_llava and tune each one; or measure the cost of training steps.

    PYTHONPATH=workflow OMP_NUM_THREADS=1 python bench/tuning.py faults --tables FOLDER \
        --parts lora_connector --seeds 0 1 2 --output faults.jsonl
    PYTHONPATH=workflow OMP_NUM_THREADS=1 python bench/tuning.py cost --size 1b --dtype bfloat16 \
        --items 2 --steps 2 --parts prompt_5 lora_vision lora_connector lora_lm
    PYTHONPATH=workflow python bench/tuning.py table --output faults.jsonl

``faults`` needs the checkpoint data/models/tiny_llava and the tables of a drawn CLEVR, with four
questions about size per image. The damage is drawn by seed. Each arm is trained on true and on
white images; the table is the workflow's. ``skew`` damages nothing, but gives the items answers
that the images do not determine. ``depth`` asks which of two objects is nearer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import multiprocessing
import resource
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from PIL import Image
from random_llava import QUESTIONS, build_model

from eyechart.core import randomness
from eyechart.inference.chosen_items import Item, answerable_items, draw_items
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec, defaults, read_spec
from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.parquet import read_table
from eyechart.tables.tuning import BEFORE, ON_BLANK
from eyechart.tuning import arms, compare
from eyechart.tuning.questions import TunedItems
from eyechart.tuning.settings import ArmSettings
from eyechart.tuning.train import Trainer
from eyechart.tuning.tune import tested

TASK, ALPHA = "size", 0.01
NOISE = 6  # multiple of the norm of the weights
# rate and steps of each arm; an encoder's adapters need smaller steps
RECIPES = {"lora_vision": (0.0015, 80), "lora_connector": (0.006, 60), "lora_lm": (0.006, 60)}


def settings(args: argparse.Namespace) -> ArmSettings:
    """Return the settings for training and testing arms."""
    return ArmSettings(
        data=["true", "blank"], seeds=1, rank=args.rank, items=args.items, attended=0,
        training=10_000, steps=args.steps, batch_size=args.batch, folds=2, eval_every=args.steps,
        learning_rates={}, gradient_checkpointing=args.checkpointing,
        prompt="{question}", choices="text", scoring="mean",
    )  # fmt: skip


def damage(adapter: Any, part: str, seed: int) -> None:
    """Damage a component: add rank-3 noise to the encoder's first MLP, or remove large directions.

    These are the first 60 singular directions of each connector matrix, or the first 32 of each
    language-model block's attention values, through which text reads images, and 8 of the next 16.
    """
    for path in arms.linear_layers(adapter)[part]:
        weight = adapter.model.get_submodule(path).weight.data
        drawn = randomness.generator("fault", seed, path)
        if part == "lora_vision" and path.endswith("layers.0.mlp.fc1"):
            rows, columns = (torch.from_numpy(drawn.standard_normal((n, 3))) for n in weight.shape)
            noise = (rows @ columns.T).to(weight)
            weight += NOISE * weight.norm() / noise.norm() * noise
        elif part == "lora_connector" or (part == "lora_lm" and path.endswith("v_proj")):
            first = 60 if part == "lora_connector" else 32
            chosen = [*range(first), *(first + drawn.choice(16, 8, replace=False))]
            u, s, v = torch.linalg.svd(weight, full_matrices=False)
            weight -= (u[:, chosen] * s[chosen]) @ v[chosen]


def items_of(args: argparse.Namespace, part: str) -> list[Item]:
    """Return the items; for ``skew``, answers ignore the images and four of five are equal."""
    if args.what == "depth":
        return depth_items(args, part)
    found = [i for i in answerable_items(args.tables / "items.parquet", part) if i["task"] == TASK]
    drawn = randomness.generator("skew", part)
    if args.what == "skew":
        found = [i | {"answer": i["choices"][int(drawn.random() < 0.2)]} for i in found]
    return found


def depth_items(args: argparse.Namespace, part: str) -> list[Item]:
    """Return questions about which of a scene's two objects is nearer, in both orders."""
    found = []
    for image in read_table(args.tables / "images.parquet").to_pylist():
        name, own = image["image_id"], scenes(args.scenes, image["split"])
        things = {f"the {o['color']} {o['shape']}": o["pixel_coords"][2] for o in own[name]}
        for a, b in itertools.permutations(things, 2) if image["group_split"] == part else ():
            near = min(a, b, key=things.__getitem__)
            item = {"item_id": f"{name}/{a}/{b}", "images": [name], "group": image["group"]}
            item |= {"prompt": f"Which is nearer, {a} or {b}?", "choices": [a, b], "answer": near}
            found.append(item | {"task": "depth_order"})
    return found


@cache
def scenes(folder: Path, split: str) -> dict[str, Any]:
    """Return the objects of every image of a split."""
    path = folder / f"CLEVR_{split}_scenes.json"
    found = json.loads(path.read_text(encoding="utf-8"))["scenes"]
    return {f"{split}_{s['image_index']:06d}": s["objects"] for s in found}


def fault(args: argparse.Namespace, part: str, seed: int) -> list[dict[str, Any]]:
    """Damage a component, tune each one, and return the rows of the comparison."""
    how, rows, before = settings(args), [], []
    own = {name: items_of(args, name) for name in ("train", "test")}
    asked = [("clevr", item) for item in draw_items(own["test"], args.items, 7)]
    shown = {r["image_id"]: r for r in read_table(args.tables / "images.parquet").to_pylist()}
    for arm in args.arms:
        spec = read_spec(Path("config/models/tiny_llava.yaml"))
        adapter = load(spec, Path("data/models/tiny_llava"), LoadOptions("cpu"))
        if args.what == "faults":
            damage(adapter, part, seed)
        questions = TunedItems(adapter, how.style(), "mean", shown, 64)
        named = {
            "model": "tiny_llava",
            "tuned_on": "clevr",
            "tuned_task": own["test"][0]["task"],
            "arm": arm,
        }
        rate, steps = RECIPES[arm]
        named |= {"steps": steps * args.times, "learning_rate": rate}
        before = before or list(tested(questions, asked))
        learner = arms.make_arm(adapter, arm, how.rank, [])
        questions.tune(learner.components)
        named["parameters"] = sum(p.numel() for p in learner.parameters.values())
        rows += [named | {"data": BEFORE, "seed": None} | row for row in before]
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(questions, learner, arm, how, own["train"], seed, {}, Path(folder))
            for data in how.data:
                trainer.train(data, own["train"], data, seed, (steps * args.times, rate))
                said = tested(questions, asked)
                rows += [named | {"data": data, "seed": 0} | row for row in said]
            said = tested(questions, asked, blank=True)  # the last training was on white images
            rows += [named | {"data": ON_BLANK, "seed": 0} | row for row in said]
    return judged(pl.DataFrame(rows, infer_schema_length=None))


def judged(answers: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of training on true images, with q and the components' adaptability."""
    rows = [r for r in compare.compared(answers, {}) if r["seed"] is None and "p" in r]
    rivals = compare.others(answers)
    for row, q in zip(rows, benjamini_hochberg(np.array([r["p"] for r in rows])), strict=True):
        over = rivals.get((row["dataset"], row["task"], row["arm"]), (0.0, 1.0))
        row |= {"q": float(q), "over_others": over[0], "p_others": over[1]}
        row["adaptable"] = compare.adaptable(row, ALPHA)
    return rows


def faults(args: argparse.Namespace) -> None:
    """Append one line per damaged component and seed."""
    for seed in args.seeds:
        for part in args.parts:
            rows = fault(args, part, seed)
            names = ("arm", "before", "after", "gain", "q", "over_others", "p_others", "adaptable")
            broken = part if args.what == "faults" else f"nothing: {args.what}"
            line = {
                "broken": broken,
                "seed": seed,
                "arms": [{n: r[n] for n in names} for r in rows],
            }
            with args.output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def table(args: argparse.Namespace) -> None:
    """Print the table of all lines."""
    lines = [json.loads(line) for line in args.output.read_text(encoding="utf-8").splitlines()]
    lines.sort(key=lambda line: (line["broken"], line["seed"]))
    heads = ["broken", "seed", "before", *arms.LORA, "named"]
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    for line in lines:
        cells = [f"{r['after']:.2f} ({r['gain']:+.2f}, q {r['q']:.1g})" for r in line["arms"]]
        found = ", ".join(r["arm"] for r in line["arms"] if r["adaptable"]) or "none"
        before = f"{line['arms'][0]['before']:.2f}"
        print("| " + " | ".join([line["broken"], str(line["seed"]), before, *cells, found]) + " |")


def cost(args: argparse.Namespace) -> None:
    """Print the time and peak memory of each arm's training steps on a random model."""
    print("| model | arm | items | checkpointing | parameters | s / step | MB before | MB after |")
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
    questions = TunedItems(adapter, settings(args).style(), "mean", shown, args.items)
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
    """Run the requested command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("faults", "skew", "depth", "table", "cost"))
    parser.add_argument("--tables", type=Path, default=Path("results/datasets/clevr"))
    parser.add_argument(
        "--parts", nargs="+", choices=[*arms.LORA, "prompt_5"], default=list(arms.LORA)
    )
    parser.add_argument("--arms", nargs="+", choices=arms.LORA, default=list(arms.LORA))
    parser.add_argument("--scenes", type=Path, default=Path("data/raw/clevr/scenes"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--items", type=int, default=360)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--times", type=int, default=1, help="of RECIPES' steps")
    parser.add_argument("--batch", type=int, default=16, help="items of a step")
    parser.add_argument("--rank", type=int, default=6)
    parser.add_argument("--size", default="2m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("faults.jsonl"))
    args = parser.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    {"faults": faults, "skew": faults, "depth": faults, "table": table, "cost": cost}[args.what](
        args
    )


if __name__ == "__main__":
    main()
