"""The verdict stage: the evidence for each model's verdict.

Snakemake imports this module at parse time, so it must not import numpy or torch. Snakemake calls
every method with an argument ``wildcards`` once per job.
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
    probed_datasets,
    scope_of,
    tasks_for,
)
from eyechart.plan.interventions import InterventionsPlan
from eyechart.plan.looks import LooksPlan
from eyechart.plan.readout import ReadoutPlan
from eyechart.tables.minimum_items import fewest_items

CALIBRATED = {"items": [60, 130, 250, 400], "skills": 200}  # skills per planted scenario
LOOKS = ("look", "looks")  # settings of the answers, not of the rules
OFFICIAL_IMAGES, PATTERNS = 300, 9  # of MMVP


@dataclass(frozen=True)
class Evidence:
    """The measurements of a model on one dataset. All inputs of its verdict derive from these."""

    dataset: str  # the dataset with the items
    answered: bool  # whether the model answers its items
    read_out: bool  # whether its items have readouts
    probed: tuple[str, ...]  # the probed item tasks; only these are skills


@dataclass(frozen=True)
class VerdictPlan:
    """The section ``verdict`` of a validated configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that does not exist, or a condition without responses."""
        section, known = self.config["verdict"], self.config["datasets"]
        for key, value in section["patterns"].items():
            for dataset in (key, value):
                check_known("verdict.patterns", "dataset", dataset, known)
        conditions = self.config["behavior"]["conditions"]
        if self._behavior.datasets and section["blind"] not in conditions:
            expected = ", ".join(c for c in conditions if c != "sighted") or "more of them"
            raise UserError(
                f"verdict.blind is {section['blind']!r}, which behavior.conditions does not have; "
                f"expected one of {expected}"
            )

    def few_warnings(self) -> list[str]:
        """Return one sentence per dataset whose patterns have too few pairs to show an absence."""
        found, margin = [], self.config["verdict"]["margin"]
        needed = fewest_items(0.5, margin)
        for dataset in self._behavior.datasets:
            section = self.config["datasets"][dataset]
            if section["layout"] != "mmvp":
                continue
            drawn = section["source"] == "render"
            images = sum(section["splits"].values()) if drawn else OFFICIAL_IMAGES
            pairs = images // (2 * PATTERNS)
            if 2 * pairs < needed:
                found.append(
                    f"each of the nine patterns of {dataset} has about {2 * pairs} questions; "
                    f"showing that something is absent takes at least {needed} (verdict.margin: "
                    f"{margin}), so their verdicts can be `used` if the difference is large, but "
                    "rarely `prior`"
                )
        return found

    @property
    def models(self) -> list[str]:
        """The models with a verdict: those with any evidence."""
        return [model for model in self.config["models"] if self.evidence(model)]

    def evidence(self, model: str) -> list[Evidence]:
        """Return the measurements of a model, one record per dataset."""
        answered = self._behavior.answered(model)
        read_out = [d for m, d in ReadoutPlan(self.config, self.specs).runs() if m == model]
        probed = {d: self._item_tasks(model, d) for d in probed_datasets(self.config)}
        found = [
            Evidence(d, d in answered, d in read_out, probed.get(d, ()))
            for d in [*self._behavior.datasets, *read_out, *probed]
        ]
        return list(dict.fromkeys(e for e in found if e.answered or e.read_out or e.probed))

    def settings(self, wildcards: Any) -> str:
        """Return the settings of the rules, as canonical JSON."""
        section = {k: v for k, v in self.config["verdict"].items() if k not in LOOKS}
        answered = self._behavior.datasets
        patterns = {k: v for k, v in section["patterns"].items() if {k, v} <= set(answered)}
        return canonical({**section, "patterns": patterns})

    def calibration_settings(self) -> str:
        """Return the calibrated thresholds and the calibration settings, as canonical JSON."""
        section = self.config["verdict"]
        own = {key: section[key] for key in ("alpha", "margin", "looks")}
        return canonical({**own, **CALIBRATED})

    def kind(self, wildcards: Any) -> str:
        """Return the model's kind."""
        return self.specs[wildcards.model].kind

    def contained_encoder(self, wildcards: Any) -> str:
        """Return the encoder that a model contains, or nothing if the encoder reads no text."""
        return self._contained(wildcards.model)

    # Paths

    def tables(self) -> list[str]:
        """Return the value tables of all verdicts; classes and differences are next to them."""
        return self.files(paths.VERDICT)

    def files(self, pattern: paths.Pattern) -> list[str]:
        """Return one kind of file for all verdicts."""
        return [pattern.rule(model=model) for model in self.models]

    def items(self, wildcards: Any) -> list[str]:
        """Return the item tables of all datasets with evidence about a model."""
        return [paths.ITEMS.rule(dataset=e.dataset) for e in self.evidence(wildcards.model)]

    def responses(self, wildcards: Any) -> list[str]:
        """Return the model's response tables up to a look, sighted and blind."""
        datasets = [e.dataset for e in self.evidence(wildcards.model) if e.answered]
        look = LooksPlan(self.config).look(wildcards)
        return self._responses(wildcards.model, datasets, look)

    def readouts(self, wildcards: Any) -> list[str]:
        """Return the predictions of the model's readouts."""
        datasets = [e.dataset for e in self.evidence(wildcards.model) if e.read_out]
        predictions = paths.READOUT_PREDICTIONS.rule
        return [predictions(model=wildcards.model, dataset=dataset) for dataset in datasets]

    def probes(self, wildcards: Any) -> list[str]:
        """Return the tables of the model's probes; their predictions are stored next to them."""
        return self._probes(wildcards.model, paths.PROBES)

    def probe_predictions(self, wildcards: Any) -> list[str]:
        """Return the predictions of the model's probes."""
        return self._probes(wildcards.model, paths.PROBE_PREDICTIONS)

    def encoder_items(self, wildcards: Any) -> list[str]:
        """Return the item tables of the statements that a VLM's encoder matches with images."""
        return [paths.ITEMS.rule(dataset=d) for d in self._encoder_datasets(wildcards.model)]

    def encoder_responses(self, wildcards: Any) -> list[str]:
        """Return the response tables of a VLM's encoder."""
        datasets = self._encoder_datasets(wildcards.model)
        last = LooksPlan(self.config).before_last + 1
        return self._responses(self._contained(wildcards.model), datasets, last)

    def effects(self, wildcards: Any) -> list[str]:
        """Return the effects of interventions in a model; the erasers are next to them."""
        return self._interventions(wildcards.model, "effects")

    def erasers(self, wildcards: Any) -> list[str]:
        """Return the erasers of the model's interventions."""
        return self._interventions(wildcards.model, "erasers")

    @property
    def _behavior(self) -> BehaviorPlan:
        return BehaviorPlan(self.config, self.specs)

    def _item_tasks(self, model: str, dataset: str) -> tuple[str, ...]:
        """Return the probed item tasks; only these are skills."""
        tasks = tasks_for(self.config, self.specs, model, dataset)
        return tuple(t for t in tasks if scope_of(self.config, dataset, t) == "item")

    def _contained(self, model: str) -> str:
        spec = self.specs[model]
        return self._behavior.encoder(model) if spec.kind == "vlm" else ""

    def _encoder_datasets(self, model: str) -> list[str]:
        encoder, patterns = self._contained(model), self.config["verdict"]["patterns"]
        if encoder not in self.config["models"]:
            return []
        answered = [e.dataset for e in self.evidence(encoder) if e.answered]
        return [dataset for dataset in answered if dataset in patterns.values()]

    def _responses(self, model: str, datasets: list[str], look: int) -> list[str]:
        conditions = ("sighted", self.config["verdict"]["blind"])
        path = LooksPlan(self.config).responses
        return [path(look, model, d, c) for d in datasets for c in conditions]

    def _interventions(self, model: str, table: str) -> list[str]:
        made = set(InterventionsPlan(self.config, self.specs).runs())
        return [
            paths.INTERVENTIONS.rule(model=model, dataset=evidence.dataset, table=table)
            for evidence in self.evidence(model)
            if (model, evidence.dataset) in made
        ]

    def _probes(self, model: str, pattern: paths.Pattern) -> list[str]:
        return [
            pattern.rule(model=model, dataset=evidence.dataset, task=task)
            for evidence in self.evidence(model)
            for task in evidence.probed
        ]
