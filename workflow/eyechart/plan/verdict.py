"""What the rules ask about verdicts: what each model's verdict is read from.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import (
    Config,
    canonical,
    check_known,
    examined,
    scope_of,
    tasks_for,
)
from eyechart.plan.readout import ReadoutPlan


@dataclass(frozen=True)
class Known:
    """What is known of a model on one dataset: all inputs of its verdict come from these.

    Attributes
    ----------
    dataset : the dataset, whose items are read
    answered : whether the model answers its items
    read_out : whether its items are read out of the model
    probed : the item tasks that are probed; only these are skills
    """

    dataset: str
    answered: bool
    read_out: bool
    probed: tuple[str, ...]


@dataclass(frozen=True)
class VerdictPlan:
    """The section ``verdict`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for pairs of datasets that are not there, or a condition not asked."""
        section, known = self.config["verdict"], self.config["datasets"]
        for key, value in section["patterns"].items():
            for dataset in (key, value):
                check_known("verdict.patterns", "dataset", dataset, known)
        shown = self.config["behavior"]["conditions"]
        if self._answering.datasets and section["blind"] not in shown:
            raise UserError(
                f"verdict.blind is {section['blind']!r}, which behavior.conditions does not have; "
                f"expected one of {', '.join(c for c in shown if c != 'sighted') or 'more of them'}"
            )

    @property
    def models(self) -> list[str]:
        """The models that are judged: those of which anything is known."""
        return [model for model in self.config["models"] if self.known(model)]

    def known(self, model: str) -> list[Known]:
        """Return what is known of a model, a record per dataset of which anything is."""
        answered = {d for m, d in self._answering.pairs() if m == model}
        read_out = ReadoutPlan(self.config, self.specs).datasets
        probed = {d: self._item_tasks(model, d) for d in examined(self.config)}
        found = [
            Known(d, d in answered, d in read_out, probed.get(d, ()))
            for d in [*self._answering.datasets, *read_out, *probed]
        ]
        return list(dict.fromkeys(k for k in found if k.answered or k.read_out or k.probed))

    def setting(self, wildcards: Any) -> str:
        """Give the rules' settings, as canonical JSON."""
        section = self.config["verdict"]
        asked = self._answering.datasets
        patterns = {k: v for k, v in section["patterns"].items() if k in asked and v in asked}
        return canonical({**section, "patterns": patterns})

    def kind(self, wildcards: Any) -> str:
        """Give the model's kind."""
        return self.specs[wildcards.model].kind

    def contains(self, wildcards: Any) -> str:
        """Give the encoder that a model contains, if it was asked about pairs, or nothing."""
        return self._contained(wildcards.model)

    # Paths

    def tables(self) -> list[str]:
        """Return the values of all verdicts; classes and differences stand beside them."""
        return [paths.VERDICT.rule(model=model) for model in self.models]

    def beside(self, pattern: paths.Pattern) -> list[str]:
        """Return the classes, or the differences, of all verdicts."""
        return [pattern.rule(model=model) for model in self.models]

    def items(self, wildcards: Any) -> list[str]:
        """Give the questions of all datasets that a model's verdict tells of."""
        return [paths.ITEMS.rule(dataset=known.dataset) for known in self.known(wildcards.model)]

    def answers(self, wildcards: Any) -> list[str]:
        """Give what the model answers, sighted and blind."""
        sets = [known.dataset for known in self.known(wildcards.model) if known.answered]
        return self._answers(wildcards.model, sets)

    def readouts(self, wildcards: Any) -> list[str]:
        """Give what was read out of it."""
        sets = [known.dataset for known in self.known(wildcards.model) if known.read_out]
        predictions = paths.READOUT_PREDICTIONS.rule
        return [predictions(model=wildcards.model, dataset=dataset) for dataset in sets]

    def probes(self, wildcards: Any) -> list[str]:
        """Give the tables of its probes; what they predict stands beside them."""
        return self._probes(wildcards.model, paths.PROBES)

    def probe_predictions(self, wildcards: Any) -> list[str]:
        """Give what its probes predict."""
        return self._probes(wildcards.model, paths.PROBE_PREDICTIONS)

    def encoder_items(self, wildcards: Any) -> list[str]:
        """Give the statements about pairs that the contained encoder matched."""
        return [paths.ITEMS.rule(dataset=d) for d in self._of_encoder(wildcards.model)]

    def encoder_answers(self, wildcards: Any) -> list[str]:
        """Give how it matched them."""
        sets = self._of_encoder(wildcards.model)
        return self._answers(self._contained(wildcards.model), sets)

    @property
    def _answering(self) -> BehaviorPlan:
        return BehaviorPlan(self.config, self.specs)

    def _item_tasks(self, model: str, dataset: str) -> tuple[str, ...]:
        """Return the probed tasks that ask questions, which alone are skills."""
        tasks = tasks_for(self.config, self.specs, model, dataset)
        return tuple(t for t in tasks if scope_of(self.config, dataset, t) == "item")

    def _contained(self, model: str) -> str:
        spec = self.specs[model]
        return self._answering.encoder(model) if spec.kind == "vlm" else ""

    def _of_encoder(self, model: str) -> list[str]:
        encoder, patterns = self._contained(model), self.config["verdict"]["patterns"]
        if encoder not in self.config["models"]:
            return []
        answered = [known.dataset for known in self.known(encoder) if known.answered]
        return [dataset for dataset in answered if dataset in patterns.values()]

    def _answers(self, model: str, datasets: list[str]) -> list[str]:
        shown = ("sighted", self.config["verdict"]["blind"])
        answers = paths.RESPONSES.rule
        return [answers(model=model, dataset=d, condition=c) for d in datasets for c in shown]

    def _probes(self, model: str, pattern: paths.Pattern) -> list[str]:
        return [
            pattern.rule(model=model, dataset=known.dataset, task=task)
            for known in self.known(model)
            for task in known.probed
        ]
