"""Damage a component of tiny_llava and tune each one, and compare the gains.

    PYTHONPATH=workflow OMP_NUM_THREADS=1 python bench/tuning.py faults --tables FOLDER \
        --parts lora_connector --seeds 0 1 2 --output faults.jsonl
    PYTHONPATH=workflow python bench/tuning.py table --output faults.jsonl

``faults`` needs the checkpoint data/models/tiny_llava and the tables of a drawn CLEVR, with four
questions about size per image. The seed determines the noise, the test items, the initial adapters
and the order of training. ``skew`` damages nothing, but gives the items answers that the images do
not determine. ``depth`` asks which of two objects is nearer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from eyechart.core import randomness
from eyechart.inference.chosen_items import Item, answerable_items, draw_items
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import read_spec
from eyechart.tables.conditions import BLANK, SHUFFLED, TRUE
from eyechart.tables.parquet import read_table
from eyechart.tables.tuning import BEFORE, ON_BLANK, adaptable_at
from eyechart.tuning import arms, compare
from eyechart.tuning.questions import TunedItems
from eyechart.tuning.settings import ArmSettings
from eyechart.tuning.train import Trainer
from eyechart.tuning.tune import tested

TASK, ALPHA = "size", 0.01
NOISE, DIRECTIONS = 64, 6  # standard deviation and rank of the noise in an encoder block
# rate and steps of each arm; an encoder's adapters need smaller steps
REPAIR = {"lora_vision": (0.003, 300), "lora_connector": (0.006, 160), "lora_lm": (0.006, 160)}
LEARN = {"lora_vision": (0.0015, 80), "lora_connector": (0.006, 60), "lora_lm": (0.006, 60)}
KEPT: dict[Any, Any] = {}  # outputs of the undamaged encoder


def settings(items: int = 360, batch: int = 16, rank: int = 6) -> ArmSettings:
    """Return the settings for training and testing arms; steps and rates are given separately."""
    return ArmSettings(
        data=[TRUE, BLANK, SHUFFLED], seeds=1, rank=rank, items=items, attended=0,
        training=10_000, steps=40, batch_size=batch, folds=2, eval_every=40,
        learning_rates={}, gradient_checkpointing=False,
        prompt="{question}", choices="text", scoring="mean",
    )  # fmt: skip


def damage(adapter: Any, part: str, seed: int) -> None:
    """Damage a component so that the images' content does not get past it.

    In the encoder, white noise is added to the MLP's input in each block that the connector reads.
    The connector's last layer returns noise that is the same for every image token. In the language
    model, all values are zero, so that no token reads another.
    """
    drawn = randomness.generator("fault", seed, part)
    paths = arms.linear_layers(adapter)[part]
    for path in paths:
        layer = adapter.model.get_submodule(path)
        if part == "lora_vision" and path.endswith("fc1"):
            add_noise(adapter.model.get_submodule(path.replace("mlp.fc1", "layer_norm2")), drawn)
        elif part == "lora_connector" and path == paths[-1]:
            noise = torch.from_numpy(drawn.standard_normal(layer.bias.shape)).float()
            layer.bias.data = noise * layer.bias.norm() / noise.norm()
            layer.weight.data.zero_()
        elif part == "lora_lm" and path.endswith("v_proj"):
            layer.weight.data.zero_()


def add_noise(norm: Any, drawn: np.random.Generator) -> None:
    """Add noise in a few directions to a layer's output, different in every pass."""
    square = torch.from_numpy(drawn.standard_normal((*norm.weight.shape, DIRECTIONS)))
    basis = NOISE * torch.linalg.qr(square)[0].T.float()
    noise = torch.Generator().manual_seed(int(drawn.integers(2**31)))
    norm.register_forward_hook(
        lambda _, __, out: out + torch.randn(*out.shape[:-1], DIRECTIONS, generator=noise) @ basis
    )


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


class Patient:
    """A model with one arm, which can be trained on several kinds of data, and its answers."""

    def __init__(
        self, args: argparse.Namespace, part: str, seed: int, arm: str, folder: Path
    ) -> None:
        spec = read_spec(Path("config/models/tiny_llava.yaml"))
        adapter: Any = load(spec, Path("data/models/tiny_llava"), LoadOptions("cpu"))
        if args.what == "faults":
            damage(adapter, part, seed)
        how, self.seed = settings(args.items, args.batch, args.rank), seed
        self.arm = arm
        self.items, test = items_of(args, "train"), items_of(args, "test")
        self.asked = [("clevr", item) for item in draw_items(test, args.items, 7 + seed)]
        shown = {r["image_id"]: r for r in read_table(args.tables / "images.parquet").to_pylist()}
        self.questions = TunedItems(adapter, how.style(), "mean", shown, 64)
        if args.what != "faults" or part != "lora_vision":
            self.questions.memory.kept = KEPT
        learner = arms.make_arm(adapter, arm, args.rank, [])
        self.questions.tune(learner.components)
        self.trainer = Trainer(self.questions, learner, arm, how, self.items, seed, {}, folder)
        rate, steps = (REPAIR if args.what == "faults" else LEARN)[arm]
        self.chosen = steps * args.times, rate
        count = sum(p.numel() for p in learner.parameters.values())
        self.named = {"model": "tiny_llava", "tuned_on": "clevr", "tuned_task": test[0]["task"]}
        self.named |= {"arm": arm, "parameters": count}
        self.named |= {"steps": self.chosen[0], "learning_rate": rate}
        self.rows: list[dict[str, Any]] = []

    def answer(self, data: str, blank: bool = False) -> list[dict[str, Any]]:
        """Return the rows of the answers to the test items."""
        seed = None if data == BEFORE else 0
        own = self.named | {"data": data, "seed": seed}
        return [own | row for row in tested(self.questions, self.asked, blank=blank)]

    def train(self, data: str) -> None:
        """Train on a kind of data and keep the answers."""
        self.trainer.train(data, self.items, data, self.seed, self.chosen)
        self.rows += self.answer(data)
        if data == BLANK:
            self.rows += self.answer(ON_BLANK, blank=True)


def fault(args: argparse.Namespace, part: str, seed: int) -> list[dict[str, Any]]:
    """Damage a component, tune each one, and return the rows of the comparison.

    Controls are trained only where they can change the verdict: white images if the arm is better
    than before, and shuffled answers if it would otherwise be adaptable. If white images are left
    out, the model before takes their place, and the gain is an upper bound.
    """
    patients: list[Patient] = []
    with tempfile.TemporaryDirectory() as folder:
        for arm in args.arms:
            one = Patient(args, part, seed, arm, Path(folder) / arm)
            before = patients[0].rows if patients else one.answer(BEFORE)  # adapters are still zero
            one.rows = [row | one.named for row in before if row["data"] == BEFORE]
            one.train(TRUE)
            done = compare.shares(pl.DataFrame(one.rows, infer_schema_length=None))
            more, _, _, p = compare.difference(done[TRUE], done[BEFORE])
            if more > 0 and p < ALPHA:
                one.train(BLANK)
            else:
                one.rows += [
                    row | {"data": BLANK, "seed": 0} for row in one.rows if row["data"] == BEFORE
                ]
            patients.append(one)
        named = {row["arm"] for row in judged(patients) if row["adaptable"]}
        for one in patients:
            if one.arm in named:
                one.train(SHUFFLED)
        return judged(patients)


def judged(patients: list[Patient]) -> list[dict[str, Any]]:
    """Return the workflow's rows of training on true images, one per arm."""
    every = [row for one in patients for row in one.rows]
    rows = compare.judged(pl.DataFrame(every, infer_schema_length=None), {}, ALPHA)
    return [row for row in rows if row["seed"] is None and row["data"] == TRUE]


def faults(args: argparse.Namespace) -> None:
    """Append one line per damaged component and seed."""
    for seed in args.seeds:
        for part in args.parts:
            start = time.process_time()
            rows = fault(args, part, seed)
            line = {"broken": part if args.what == "faults" else f"nothing: {args.what}"}
            line |= {"seed": seed, "seconds": round(time.process_time() - start)}
            line |= {"arms": rows, "adaptable_at": adaptable_at(rows)}
            with args.output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def table(args: argparse.Namespace) -> None:
    """Print the table of all lines."""
    lines = [json.loads(line) for line in args.output.read_text(encoding="utf-8").splitlines()]
    lines.sort(key=lambda line: (line["broken"], line["seed"]))
    heads = ["broken", "seed", "before", *arms.LORA, "adaptable at"]
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    for line in lines:
        rows = {row["arm"]: row for row in line["arms"]}
        own = [rows[arm] for arm in arms.LORA if arm in rows]
        cells = [f"{r['after']:.2f} ({r['gain']:+.2f}, q {r['q']:.1g})" for r in own]
        found = ", ".join(compare.part_of(r["arm"]) for r in own if r["adaptable"]) or "none"
        before = f"{own[0]['before']:.2f}"
        print("| " + " | ".join([line["broken"], str(line["seed"]), before, *cells, found]) + " |")


def main() -> None:
    """Run the requested command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("faults", "skew", "depth", "table"))
    parser.add_argument("--tables", type=Path, default=Path("results/datasets/clevr"))
    parser.add_argument("--parts", nargs="+", choices=arms.LORA, default=list(arms.LORA))
    parser.add_argument("--arms", nargs="+", choices=arms.LORA, default=list(arms.LORA)[::-1])
    parser.add_argument("--scenes", type=Path, default=Path("data/raw/clevr/scenes"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--items", type=int, default=360)
    parser.add_argument("--times", type=int, default=1, help="of the arms' steps")
    parser.add_argument("--batch", type=int, default=16, help="items of a step")
    parser.add_argument("--rank", type=int, default=6)
    parser.add_argument("--output", type=Path, default=Path("faults.jsonl"))
    args = parser.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    (table if args.what == "table" else faults)(args)


if __name__ == "__main__":
    main()
