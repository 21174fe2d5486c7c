"""Settings of tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eyechart.inference.prompts import AskedInOrder


@dataclass(frozen=True)
class ArmSettings(AskedInOrder):
    """The config section ``tuning``.

    Attributes
    ----------
    data, seeds : kinds of data, and number of trainings on each
    rank : rank of the adapters of the component with the most parameters per rank
    attended : maximum number of test items whose attention to regions is measured
    items, training : maximum numbers of test items per task, and of training items
    steps, batch_size, folds, learning_rates : training settings; folds choose steps and rate
    eval_every : steps between held-out losses, and between checkpoints
    gradient_checkpointing : whether activations are recomputed to save memory
    scoring : how choices are scored, as in the behavior stage
    """

    data: list[str]
    seeds: int
    rank: int
    items: int
    attended: int
    training: int
    steps: int
    batch_size: int
    folds: int
    learning_rates: dict[str, list[float]]
    eval_every: int
    gradient_checkpointing: bool
    scoring: str

    def rates(self, arm: str) -> list[float]:
        """Return the learning rates to try for an arm."""
        return self.learning_rates["prompt" if arm.startswith("prompt") else "lora"]

    def loop(self, rate: float, steps: int, held_out: bool) -> dict[str, Any]:
        """Return the settings of the training loop: a constant rate after a tenth of the steps."""
        return {
            "steps": steps,
            "lr": rate,
            "lr_vision": 1.0,
            "weight_decay": 0.0,
            "warmup": max(1, self.steps // 10),
            "final_lr_share": 1.0,
            "clip_norm": 1.0,
            "log_every": self.eval_every,
            "eval_every": self.eval_every if held_out else steps + 1,
            "checkpoint_every": self.eval_every,
        }
