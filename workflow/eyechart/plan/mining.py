"""The mining stage: which pairs of encoders are compared on which datasets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical, check_known, one_of

OF_A_PART = ("centre", "similar", "different", "block", "most")
SETTINGS = (*OF_A_PART, "engine", "recall")


@dataclass(frozen=True)
class MiningPlan:
    """The section ``mining`` of a validated configuration."""

    config: Config

    def check(self) -> None:
        """Raise a UserError for a model without a vector, or a dataset that does not exist."""
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

    def settings(self, *keys: str) -> Callable[[Any], str]:
        """Return a param with these settings and the vectors of one search, as canonical JSON."""
        chosen = {key: self.config["mining"][key] for key in keys}

        def settings(wildcards: Any) -> str:
            sides = {"first": wildcards.first, "second": wildcards.second}
            return canonical({**chosen, **{side: self._vector(m) for side, m in sides.items()}})

        return settings

    @property
    def parts(self) -> int:
        """The number of parts in which images are compared."""
        return int(self.config["mining"]["parts"])

    def parted_pattern(self, parted: bool) -> str:
        """Return the wildcard pattern of datasets mined in parts, or in one job: all or none."""
        return one_of(self.config["datasets"] if (self.parts > 1) is parted else ())

    def part_tables(self, wildcards: Any) -> list[str]:
        """Return the tables of all pairs of parts."""
        of = {name: wildcards[name] for name in ("first", "second", "dataset")}
        names = [f"{part:03d}" for part in range(self.parts)]
        return [
            paths.PAIRS_PART.rule(part=part, other=other, **of)
            for part, other in combinations_with_replacement(names, 2)
        ]

    def files(self, name: str) -> list[str]:
        """Return the file called ``name`` of every search."""
        pattern = paths.PAIRS.beside(name, "pairs.parquet")
        return [pattern.rule(first=f, second=s, dataset=d) for f, s, d in self.runs()]

    def _vector(self, model: str) -> str:
        vectors = self.config["mining"]["vectors"]
        if model not in vectors:
            raise UserError(f"mining.vectors: no vector of {model!r}; {nearest(model, vectors)}")
        return str(vectors[model])
