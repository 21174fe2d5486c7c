"""The controlled models: the parts of each and the recipe they share.

Snakemake calls every method with an argument ``wildcards`` once per job.
"""

from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.models import spec
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical, check_known

SHARED = ("images", "held_out", "augment")
SPLITS = ("train", "val")


@dataclass(frozen=True)
class ControlledPlan:
    """The section ``controlled`` of a validated configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a controlled model without training data, or with unknown parts."""
        for model, one in self.specs.items():
            if one.built is None:
                continue
            where = f"{paths.SPEC.at(model=model)}: built"
            how = self._how(model)
            for part in [*how["encoders"], *([how["lm"]] if how["lm"] else [])]:
                check_known(where, "model", part, self.specs)
            if how["lm"] and self.specs[how["lm"]].family != "llava":
                raise UserError(
                    f"{where}.lm: {how['lm']} is of family {self.specs[how['lm']].family}, "
                    "expected llava"
                )
        asked = [model for model in self.config["models"] if self.specs[model].built]
        if asked:
            self._check_data(asked[0])

    def _check_data(self, model: str) -> None:
        data, known = self._section["data"], self.config["datasets"]
        if data is None:
            raise UserError(
                f"controlled.data is null, expected the dataset that {model} is trained on"
            )
        check_known("controlled.data", "dataset", data, known)
        if known[data]["layout"] != "clevr" or not {*SPLITS} <= {*known[data]["splits"]}:
            raise UserError(
                f"controlled.data: {data} has the layout {known[data]['layout']} and the splits "
                f"{', '.join(known[data]['splits'])}, expected clevr with train and val"
            )

    def receipt(self, wildcards: Any) -> str:
        """Return the receipt of the training data, or of no dataset if none is set."""
        if self._section["data"] is None:
            self._check_data(wildcards.model)
        return paths.RECEIPT.rule(dataset=self._section["data"])

    def parts(self, wildcards: Any) -> list[str]:
        """Return the files that mark the checkpoints of the encoders and the VLM as complete."""
        how = self._how(wildcards.model)
        every = [*how["encoders"], how["lm"]] if how["lm"] else []
        return [paths.READY.rule(model=model) for model in every]

    def recipe(self, wildcards: Any) -> str:
        """Return everything that a model's training depends on, as canonical JSON."""
        how = self._how(wildcards.model)
        stage = self._section[how["trains"]]
        more: Config = {"queries": self._section["queries"]}
        if how["trains"] == "labels":
            more = {"architecture": self.config["tiny_models"]["recipe"]["architecture"]}
        shared = {name: self._section[name] for name in SHARED}
        return canonical({**shared, **more, "built": how, "stage": stage})

    def threads(self, wildcards: Any) -> int:
        """Return the threads of a training."""
        return int(self._section[self._how(wildcards.model)["trains"]]["threads"])

    @property
    def _section(self) -> Config:
        return dict(self.config["controlled"])

    def _how(self, model: str) -> Config:
        return spec.built(self.specs[model].built or {})
