"""The extraction stage: the addresses and spans of a dataset that its readers need."""

from dataclasses import dataclass
from typing import Any

from eyechart.core.address import READ, REGION_SPANS
from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical, probed_datasets
from eyechart.plan.readout import SPANS, ReadoutPlan
from eyechart.plan.registry import LAYOUTS, layout_of


@dataclass(frozen=True)
class ExtractionPlan:
    """The section ``extraction`` of a validated configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError if all spans of a probed dataset are regions, but it has none."""
        probed, spans = probed_datasets(self.config), self.config["extraction"]["spans"]
        asked = [span for span in spans if span in REGION_SPANS]
        if asked and not any(layout_of(self.config, d).located for d in probed):
            known = ", ".join(name for name, layout in LAYOUTS.items() if layout.located)
            raise UserError(
                f"extraction.spans: {asked[0]!r} is a region of each item, but no probed dataset "
                f"has regions; expected one with the layout {known}"
            )
        for dataset in probed:
            if not self._stored(dataset)["spans"]:
                raise UserError(
                    f"extraction.spans is only {', '.join(spans)}, but the items of {dataset!r} "
                    f"(layout {self.config['datasets'][dataset]['layout']!r}) have no regions; "
                    "add a span"
                )

    def settings(self, wildcards: Any) -> str:
        """Return the settings of an extraction; for an encoder the prompt is a constant."""
        unread = {} if self.specs[wildcards.model].kind == "vlm" else {"prompt": "{question}"}
        wanted = {**self.config["extraction"], **self._stored(wildcards.dataset)}
        unordered = {key: sorted(wanted[key]) for key in ("addresses", "spans")}
        return canonical({**wanted, **unordered, **unread})

    def regions(self, wildcards: Any) -> list[str]:
        """Return a dataset's region table; an empty list if region spans are not extracted."""
        asked = set(self._stored(wildcards.dataset).get("spans", ())) & set(REGION_SPANS)
        return [paths.REGIONS.rule(dataset=wildcards.dataset)] if asked else []

    def _stored(self, dataset: str) -> Config:
        """Return the addresses and spans that the stages reading a dataset's activations need."""
        general, concepts = self.config["extraction"], self.config["concepts"]
        readout = ReadoutPlan(self.config, self.specs)
        probed = dataset in [*probed_datasets(self.config), *self.config["mining"]["datasets"]]
        wanted = [(general["addresses"], general["spans"])] if probed else []
        if readout.stores_image_tokens(dataset):
            wanted.append((readout.addresses(), list(SPANS)))
        if dataset in concepts["datasets"]:
            wanted.append((concepts["addresses"], concepts["spans"]))
        if not wanted:
            return {}
        addresses = dict.fromkeys(address for some, _ in wanted for address in some)
        if any(address.startswith("vision.") for address in addresses):
            addresses |= {READ: None}  # no selection of layers drops the connector's input
        located = layout_of(self.config, dataset).located
        spans = dict.fromkeys(span for _, some in wanted for span in some)
        own = [span for span in spans if located or span not in REGION_SPANS]
        return {"addresses": list(addresses), "spans": own}
