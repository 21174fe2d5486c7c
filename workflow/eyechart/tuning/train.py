"""Train an arm on items, with a learning rate and number of steps chosen by grouped folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eyechart.core import randomness
from eyechart.inference.chosen_items import Item
from eyechart.statistics.splits import grouped_folds
from eyechart.tables.conditions import BLANK, SHUFFLED, TRUE
from eyechart.training.loop import Row, fit
from eyechart.tuning.arms import Arm
from eyechart.tuning.questions import TunedItems
from eyechart.tuning.settings import ArmSettings

HELD_OUT = "held_out_loss"


@dataclass(frozen=True)
class Trainer:
    """An arm of a loaded model, with the items that it is trained on.

    Attributes
    ----------
    identity : everything that the parameters depend on, for checkpoints
    folder : folder of checkpoints, which are kept until all trainings are done
    """

    questions: TunedItems
    arm: Arm
    name: str
    settings: ArmSettings
    items: Sequence[Item]
    seed: int
    identity: dict[str, Any]
    folder: Path

    def choose(self) -> tuple[int, float, dict[str, list[Row]]]:
        """Return the steps and learning rate with the lowest held-out loss, and all loss curves."""
        groups = np.array([str(item["group"]) for item in self.items])
        _, answers = np.unique([str(i["answer"]) for i in self.items], return_inverse=True)
        folds = self.settings.folds
        held = grouped_folds(groups, answers, folds, self.seed, str(self.items[0]["task"]))
        curves = {}
        found = []
        for rate in self.settings.rates(self.name):
            for fold in range(folds):
                rest = [i for i, f in zip(self.items, held, strict=True) if f != fold]
                out = [i for i, f in zip(self.items, held, strict=True) if f == fold]
                stage = f"fold-{fold}-rate-{rate:g}"
                curves[stage] = self.train(stage, rest, TRUE, 0, (self.settings.steps, rate), out)
            points = [[v for _, m, v in c if m == HELD_OUT] for c in list(curves.values())[-folds:]]
            steps = [s for s, m, _ in curves[stage] if m == HELD_OUT]
            means = np.mean(points, axis=0)
            found.append((float(means.min()), steps[int(means.argmin())], rate))
        return *min(found)[1:], curves

    def train(
        self,
        stage: str,
        items: Sequence[Item],
        data: str,
        seed: int,
        chosen: tuple[int, float],
        held_out: Sequence[Item] = (),
    ) -> list[Row]:
        """Train from the start or from a checkpoint, and return the loss curve.

        ``chosen`` are the number of steps and the learning rate. Items about the same images stay
        together in a step, so that the images are read once.
        """
        steps, rate = chosen
        used = shuffled(items, self.seed, seed) if data == SHUFFLED else list(items)
        self.arm.start(self.seed, seed)
        few = min(self.settings.batch_size, len(used))
        groups: dict[tuple[str, ...], list[Item]] = {}
        for item in used:
            groups.setdefault(tuple(item["images"]), []).append(item)
        together = list(groups.values())

        def loss(drawn: torch.Generator) -> torch.Tensor:
            order = torch.randperm(len(together), generator=drawn).tolist()
            return self.questions.loss([i for n in order for i in together[n]][:few], data == BLANK)

        return fit(
            self.arm.parameters,
            loss,
            self._measure(held_out, few),
            self.settings.loop(rate, steps, bool(held_out)),
            self.identity | {"stage": stage, "seed": seed, "steps": steps, "rate": rate},
            self.folder / f"{stage}.checkpoint.safetensors",
        )

    def _measure(self, items: Sequence[Item], few: int) -> Callable[[], dict[str, float]]:
        """Return a function that measures the mean loss on held-out items."""

        def measure() -> dict[str, float]:
            parts = [items[n : n + few] for n in range(0, len(items), few)]
            with torch.no_grad():
                lost = [float(self.questions.loss(p, blank=False)) * len(p) for p in parts]
            return {HELD_OUT: sum(lost) / len(items)} if lost else {}

        return measure


def shuffled(items: Sequence[Item], seed: int, number: int) -> list[Item]:
    """Return items with answers permuted among items with the same choices."""
    drawn = randomness.generator("shuffled answers", seed, number)
    kinds: dict[tuple[str, ...], list[int]] = {}
    for n, item in enumerate(items):
        kinds.setdefault(tuple(item["choices"]), []).append(n)
    found = list(items)
    for members in kinds.values():
        for n, other in zip(members, drawn.permutation(members), strict=True):
            found[n] = {**items[n], "answer": items[other]["answer"]}
    return found
