"""The user's own data: its files as inputs, and which of its tasks are probed.

Snakemake imports this module at parse time, so it must not import numpy or torch. Snakemake calls
every method with an argument ``wildcards`` once per job.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyechart.data.own.survey import Survey, survey
from eyechart.plan.configuration import Config, canonical
from eyechart.plan.registry import layout_of


@dataclass(frozen=True)
class OwnPlan:
    """The datasets of a validated configuration that are the user's own."""

    config: Config

    def surveys(self) -> Iterator[tuple[str, Survey]]:
        """Yield every own dataset with a survey of its table, skipping those without a table."""
        for dataset, section in self.config["datasets"].items():
            if layout_of(self.config, dataset).own_tasks and (found := survey(section)):
                yield dataset, found

    def check(self) -> None:
        """Raise a UserError for a configured task that no row has."""
        for dataset, found in self.surveys():
            found.check(self.config["datasets"][dataset]["tasks"], f"datasets.{dataset}.tasks")
            for stage in ("interventions", "tuning"):
                named = self.config[stage]["tasks"].get(dataset, [])
                found.check(named, f"{stage}.tasks.{dataset}")

    @property
    def unprobed(self) -> dict[str, dict[str, str]]:
        """The reasons, by dataset and task, why tasks are not probed: they have too few rows."""
        split, folds = self.config["probing"]["split"], self.config["probing"]["folds"]
        found: dict[str, dict[str, str]] = {}
        for dataset, held in self.surveys():
            section = self.config["datasets"][dataset]
            share = section["test_share"] if split == "group" else None
            reasons = {task: held.too_few(task, folds, share) for task in held.answers}
            left = {t: why for t, why in reasons.items() if why and t not in section["tasks"]}
            found |= {dataset: left} if left else {}
        return found

    def files(self, wildcards: Any) -> list[str]:
        """Return the user's files, so that a change to them is noticed."""
        return sorted(p.as_posix() for p in self._files(wildcards) if _is_plain(p))

    def other_files(self, wildcards: Any) -> str:
        """Return the files that cannot be inputs, as canonical JSON: name, size, modification time.

        Snakemake treats braces in an input path as a wildcard, and writes paths as UTF-8.
        """
        others = sorted(p for p in self._files(wildcards) if not _is_plain(p))
        stats = ((ascii(p.as_posix()), p.stat()) for p in others)
        return canonical([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])

    def _files(self, wildcards: Any) -> list[Path]:
        layout = layout_of(self.config, wildcards.dataset)
        path = Path(self.config["datasets"][wildcards.dataset]["path"])
        if not layout.own_tasks or not path.exists():  # the step has a better error
            return []
        return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]


def _is_plain(path: Path) -> bool:
    text = path.as_posix()
    return not set(text) & set("{}") and text.isprintable()
