"""The mining stage: which two encoders are compared on which dataset."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical, check_known

SETTINGS = ("similar", "different", "centre", "block", "most")


@dataclass(frozen=True)
class MiningPlan:
    """The section ``mining`` of a checked configuration."""

    config: Config

    def check(self) -> None:
        """Raise a UserError for a model without a vector or a dataset that does not exist."""
        mining, known = self.config["mining"], self.config["datasets"]
        for dataset in mining["datasets"]:
            check_known("mining.datasets", "dataset", dataset, known)
        for pair in mining["pairs"]:
            for model in pair:
                if model not in mining["vectors"]:
                    raise UserError(
                        f"mining.vectors: no vector of {model!r}, which mining.pairs names; "
                        f"{nearest(model, mining['vectors'])}"
                    )

    def runs(self) -> Iterator[tuple[str, str, str]]:
        """Yield (first, second, dataset) of every search."""
        mining = self.config["mining"]
        for first, second in mining["pairs"]:
            for dataset in mining["datasets"]:
                yield first, second, dataset

    def settings(self, wildcards: Any) -> str:
        """Return the settings of one search, as canonical JSON."""
        mining = self.config["mining"]
        vectors = {"first": self._vector(wildcards.first), "second": self._vector(wildcards.second)}
        return canonical({**{key: mining[key] for key in SETTINGS}, **vectors})

    def files(self, name: str) -> list[str]:
        """Return the file with this name of every search."""
        pattern = paths.PAIRS.beside(name, "pairs.parquet")
        return [pattern.rule(first=f, second=s, dataset=d) for f, s, d in self.runs()]

    def _vector(self, model: str) -> str:
        vectors = self.config["mining"]["vectors"]
        if model not in vectors:
            raise UserError(f"mining.vectors: no vector of {model!r}; {nearest(model, vectors)}")
        return str(vectors[model])
