"""The speed stage: the measurement settings and the models."""

from dataclasses import dataclass
from typing import Any

from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical


@dataclass(frozen=True)
class SpeedPlan:
    """The section ``speed`` of a validated configuration."""

    config: Config

    def settings(self, wildcards: Any) -> str:
        """Return the settings for measuring speed and memory."""
        return canonical(self.config["speed"])

    def tables(self, wildcards: Any) -> list[str]:
        """Return the table of every model."""
        return [paths.SPEED.rule(model=model) for model in self.config["models"]]
