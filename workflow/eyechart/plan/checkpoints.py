"""The source of every model's checkpoint, and whether the checkpoint's own code may run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.fingerprint import fingerprint
from eyechart.models.derivations.registry import FITTED
from eyechart.models.sources import permission
from eyechart.models.spec import Spec, bases
from eyechart.plan import paths, training
from eyechart.plan.configuration import Config, canonical, check_known, one_of
from eyechart.plan.controlled import ControlledPlan
from eyechart.plan.registry import layout_of

ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True)
class Checkpoints:
    """A validated configuration and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a model without a checkpoint, or with code that may not run."""
        ControlledPlan(self.config, self.specs).check()
        for model in self.config["checkpoints"]:
            if self.source(model) in ("tiny", "built"):
                see = "tiny_models.weights" if model in training.MODELS else "controlled"
                raise UserError(
                    f"checkpoints: {model} is created by the workflow, not taken from a folder; "
                    f"see {see}"
                )
            if (base := self.specs[model].base) is not None:
                raise UserError(
                    f"checkpoints: {model} is derived from {base}, not taken from a folder; "
                    f"remove the line, or name {base}"
                )
        for model in self.config["revisions"]:
            if (source := self.source(model)) != "hub":
                how = (
                    "is made here"
                    if source in ("tiny", "built")
                    else f"comes from {self._folder(model)}"
                )
                if source == "derived":
                    how = f"is derived from {self.specs[model].base}"
                raise UserError(f"revisions: {model} {how}, so it has no revision; remove the line")
        for model in self.config["remote_code"]:
            if not self.specs[model].trust_remote_code:
                raise UserError(
                    f"remote_code: {model} runs no code of its own (its spec does not set "
                    "trust_remote_code: true); remove it from the list"
                )
        for model in self.config["models"]:
            self._may_run_code(model)
            self._check_adapters(model)
            self._check_examples(model)

    def source(self, model: str) -> str:
        """Return a checkpoint's source: ``tiny``, ``built``, ``derived``, ``folder`` or ``hub``."""
        if model in training.MODELS:
            return "tiny"
        if self.specs[model].built is not None:
            return "built"
        if self.specs[model].base is not None:
            return "derived"
        given = model in self.config["checkpoints"] or not self.specs[model].from_hub
        return "folder" if given else "hub"

    def model_pattern(self, source: str) -> str:
        """Return the wildcard pattern of all models from one source."""
        return one_of(model for model in self.specs if self.source(model) == source)

    def base(self, wildcards: Any) -> str:
        """Return the file that marks the base checkpoint of a derived model as complete."""
        return paths.READY.rule(model=self.specs[wildcards.model].base or "")

    def base_specs(self, wildcards: Any) -> list[str]:
        """Return the spec files that a derived model inherits from, nearest first."""
        return [paths.SPEC.rule(model=base) for base in bases(self.specs, wildcards.model)]

    def adapter_files(self, wildcards: Any) -> list[str]:
        """Return the files of the adapter that a derived model uses, if any.

        Files created by rules are in the results folder of the run.
        """
        folder = self.specs[wildcards.model].adapter_folder
        if folder and folder.parts[0] == paths.RESULTS:
            folder = Path(paths.ROOT, *folder.parts[1:])
        return [(folder / name).as_posix() for name in ADAPTER] if folder else []

    def examples(self, wildcards: Any) -> list[str]:
        """Return the item, image and region tables that a derived model is fitted on, if any."""
        dataset = self._fitted_on(wildcards.model)
        tables = (paths.ITEMS, paths.IMAGES, paths.REGIONS)
        return [table.rule(dataset=dataset) for table in tables] if dataset else []

    def split(self, wildcards: Any) -> str:
        """Return the split whose training set a derived model is fitted on."""
        fitted = self._fitted_on(wildcards.model)
        return str(self.config["probing"]["split"]) if fitted else "group"

    def derivation(self, wildcards: Any) -> str:
        """Return the derivation of a model, as canonical JSON."""
        return canonical(self.specs[wildcards.model].derived)

    def code_of_derivation(self, wildcards: Any) -> str:
        """Return the code hash of the derivation step, its rule, and the base model's family."""
        spec = self.specs[wildcards.model]
        rule = (spec.derived or {})["by"] if spec.adapter_folder is None else "adapter"
        steps = ("derive_model", f"derivations.{rule}", f"families.{spec.family}")
        return " ".join(fingerprint(f"eyechart.models.{step}") for step in steps)

    def folder(self, wildcards: Any) -> str:
        """Return the folder with the files that a model's checkpoint links to."""
        return self._folder(wildcards.model)

    def file_settings(self, wildcards: Any) -> str:
        """Return the parts of a spec that decide which files are pulled, as canonical JSON."""
        spec = self.specs[wildcards.model]
        settings = {"checkpoint": spec.checkpoint, "weights": spec.weights}
        settings |= {"folder": spec.folder} if spec.folder else {}
        return canonical({**settings, "companions": spec.companions})

    def revision(self, wildcards: Any) -> str:
        """Return the revision to pull from the hub."""
        found = self._revision(wildcards.model)
        assert found is not None, "only models on the hub are pulled"
        return found

    def remote_code_flag(self, wildcards: Any) -> str:
        """Return the flag that allows a model's own code to run, or nothing if it has none.

        Raise a UserError if the model has code that may not run. This is for models requested only
        by a path.
        """
        return "--allow-remote-code" if self._may_run_code(wildcards.model) else ""

    def _check_adapters(self, model: str) -> None:
        """Raise a UserError for a missing adapter that no rule creates."""
        for name in [model, *bases(self.specs, model)]:
            folder = self.specs[name].adapter_folder
            if folder is None or folder.parts[0] == paths.RESULTS:
                continue
            missing = next((f for f in ADAPTER if not (folder / f).is_file()), None)
            if missing:
                raise UserError(
                    f"{paths.SPEC.at(model=name)}: derived.by: no {missing} in {folder}, expected "
                    "the folder of a PEFT adapter"
                )

    def _fitted_on(self, model: str) -> str:
        """Return the dataset that a model's derivation is fitted on, or an empty string."""
        how = self.specs[model].derived or {}
        return str(how["settings"].get("dataset", "")) if how.get("by") in FITTED else ""

    def _check_examples(self, model: str) -> None:
        """Raise a UserError for a derivation fitted on a dataset without such items."""
        for name in [model, *bases(self.specs, model)]:
            how = self.specs[name].derived or {}
            if how.get("by") not in FITTED:
                continue
            where = f"{paths.SPEC.at(model=name)}: derived.settings"
            dataset, concept = (how["settings"].get(key) for key in ("dataset", "concept"))
            for key, value in (("dataset", dataset), ("concept", concept)):
                if not isinstance(value, str):
                    raise UserError(f"{where}: {how['by']} needs the setting {key!r}, a name")
            check_known(f"{where}.dataset", "dataset", dataset, self.config["datasets"])
            layout = layout_of(self.config, dataset)
            if not layout.located:
                raise UserError(f"{where}.dataset: the items of {dataset!r} have no regions")
            if not layout.own_tasks:
                check_known(f"{where}.concept", "task", concept, layout.item_tasks)

    def _may_run_code(self, model: str) -> bool:
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
