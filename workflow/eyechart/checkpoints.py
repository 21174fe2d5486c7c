"""Where the checkpoint of every model comes from, and whether its own code may run.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from dataclasses import dataclass
from typing import Any

from eyechart import recipe
from eyechart.configuration import Config, canonical, one_of
from eyechart.errors import UserError
from eyechart.models import permission
from eyechart.models.spec import Spec


@dataclass(frozen=True)
class Checkpoints:
    """A checked configuration and the specs of all models that there are."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for what no checkpoint can come of, and for code that may not run."""
        for model in self.config["checkpoints"]:
            if model in recipe.MODELS:
                raise UserError(
                    f"checkpoints: {model} is made here and taken from no folder; see tiny.weights"
                )
        for model in self.config["revisions"]:
            if (source := self.source(model)) != "hub":
                how = "is made here" if source == "tiny" else f"comes from {self._folder(model)}"
                raise UserError(f"revisions: {model} {how}, so it has no revision; remove the line")
        for model in self.config["remote_code"]:
            if not self.specs[model].trust_remote_code:
                raise UserError(
                    f"remote_code: {model} runs no code of its own (its spec does not say "
                    "trust_remote_code: true); remove it from the list"
                )
        for model in self.config["models"]:
            self._runs_code(model)

    def source(self, model: str) -> str:
        """Give what makes ``data/models/<model>``: ``tiny``, ``folder`` or ``hub``."""
        if model in recipe.MODELS:
            return "tiny"
        given = model in self.config["checkpoints"] or not self.specs[model].from_hub
        return "folder" if given else "hub"

    def any_model(self, source: str) -> str:
        """Give the pattern of ``{model}``: all models from one source."""
        return one_of(model for model in self.specs if self.source(model) == source)

    def folder(self, wildcards: Any) -> str:
        """Give the folder that a model is taken from."""
        return self._folder(wildcards.model)

    def wanted(self, wildcards: Any) -> str:
        """Give what of a model's spec decides which files come of it, as canonical JSON."""
        spec = self.specs[wildcards.model]
        wanted = {"checkpoint": spec.checkpoint, "weights": spec.weights}
        return canonical({**wanted, "companions": spec.companions})

    def revision(self, wildcards: Any) -> str:
        """Give the revision that is pulled from the hub."""
        found = self._revision(wildcards.model)
        assert found is not None, "only models of the hub are pulled"
        return found

    def allowance(self, wildcards: Any) -> str:
        """Give the flag that lets a model's own code run, or nothing where it has none.

        Raises
        ------
        UserError
            If it has some and may not run it: of a model that is asked for by its path alone.
        """
        return "--allow-remote-code" if self._runs_code(wildcards.model) else ""

    def _runs_code(self, model: str) -> bool:
        allowed = model in self.config["remote_code"]
        return permission.check(model, self.specs[model], allowed, self._revision(model))

    def _revision(self, model: str) -> str | None:
        if self.source(model) != "hub":
            return None
        found: str | None = self.config["revisions"].get(model, self.specs[model].revision)
        return found

    def _folder(self, model: str) -> str:
        found: str = self.config["checkpoints"].get(model, self.specs[model].checkpoint)
        return found
