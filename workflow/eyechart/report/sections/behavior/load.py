"""The responses of the models: checked and combined scores, distributions and answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from eyechart.core.errors import UserError
from eyechart.report.files import check_pair, identify
from eyechart.report.labels import BLIND, SIGHTED, natural
from eyechart.report.sections.behavior.check import check_answers, check_distributions, check_scores
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.parquet import read_table
from eyechart.tables.responses import ANSWERS, read_left_out
from eyechart.tables.scores import ALL, DISTRIBUTIONS, SCORES

SUFFIX = ".distributions.parquet"


@dataclass(frozen=True)
class Behavior:
    """The responses of one model to one dataset.

    ``scores`` (with any recalls), ``distributions`` and ``answers`` contain the rows of the tables
    for all conditions; ``impossible`` names the requested conditions that the model does not
    support.
    """

    model: str
    dataset: str
    scores: pl.DataFrame
    distributions: pl.DataFrame
    answers: pl.DataFrame
    impossible: tuple[str, ...]
    unasked: dict[str, int] = field(default_factory=dict)  # number of items not asked, by reason

    def conditions(self) -> list[str]:
        """Return the conditions that have scores, in table order."""
        there = set(self.scores["condition"])
        return [c for c in CONDITIONS if c in there]

    def blind(self) -> str | None:
        """Return the blind condition, or None if none was run."""
        return next((c for c in BLIND if c in self.conditions()), None)

    def tasks(self, metric: str) -> list[str]:
        """Return the tasks that have a metric, starting with the one over all tasks."""
        named = set(self.scores.filter(pl.col("metric") == metric)["task"])
        return sorted(named, key=lambda t: (t != ALL, natural(t)))

    def score(self, metric: str, condition: str, task: str = ALL) -> dict[str, Any] | None:
        """Return a row of the scores, or None if there is none."""
        return self._rows.get((metric, condition, task))

    @cached_property
    def _rows(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        rows = self.scores.iter_rows(named=True)
        return {(row["metric"], row["condition"], row["task"]): row for row in rows}

    def accuracies(self, metric: str = "accuracy") -> list[dict[str, Any]]:
        """Return the rows of a metric by task and condition, with their comparisons.

        Two columns are added: ``majority`` (the accuracy of always choosing the most common answer,
        or None) and ``gain`` (sighted minus this condition; None for sighted itself).
        """
        found = []
        for task in self.tasks(metric):
            sighted = self.score(metric, SIGHTED, task)
            for condition in self.conditions():
                row = self.score(metric, condition, task)
                if row:
                    most = self.score("majority", condition, task)
                    other = sighted if condition != SIGHTED else None
                    gain = other["value"] - row["value"] if other else None
                    found.append({**row, "majority": most and most["value"], "gain": gain})
        return found


def read_behavior(
    scores: Sequence[Path],
    distributions: Sequence[Path],
    answers: Sequence[Path],
    retrieval: Sequence[Path],
) -> list[Behavior]:
    """Read and check all tables, sorted by dataset and model; paths name model and dataset.

    Raise a UserError if scores have no distributions next to them, if a table belongs to another
    model or dataset than in its path, or if the checks of this section reject it.
    """
    given = {str(path) for path in distributions}
    for path in scores:
        if str(path.with_suffix(SUFFIX)) not in given:
            raise UserError(f"{path}: its distributions {path.with_suffix(SUFFIX)} were not given")
    found = []
    pairs = {identify(path).pair for path in (*scores, *retrieval)}
    for model, dataset in sorted(pairs, key=lambda pair: pair[::-1]):
        scored = _read([*scores, *retrieval], SCORES, (model, dataset))
        shares = _read(distributions, DISTRIBUTIONS, (model, dataset))
        responses = _read(answers, ANSWERS, (model, dataset))
        for path, rows in scored.items():
            check_scores(path, rows)
        for path, rows in shares.items():
            check_distributions(path, rows)
        empty = {path.stem for path, rows in responses.items() if rows.is_empty()}
        impossible = tuple(c for c in CONDITIONS if c in empty)
        tables = (_whole(scored, SCORES), _whole(shares, DISTRIBUTIONS), _whole(responses, ANSWERS))
        why = (Counter(read_left_out(path).values()) for path in responses if path.stem == SIGHTED)
        found.append(Behavior(model, dataset, *tables, impossible, next(why, {})))
    return found


def audit(behaviors: Sequence[Behavior], items: Mapping[str, pl.DataFrame]) -> None:
    """Refuse accuracies that the stored answers do not reproduce.

    Raise a UserError that names model, dataset and row, or the dataset whose items are missing.
    """
    for b in behaviors:
        if b.dataset not in items:
            raise UserError(
                f"--tables: the items of {b.dataset!r}, which have responses, are missing"
            )
        check_answers(f"{b.model} on {b.dataset}", b.scores, b.answers, items[b.dataset])


def _read(
    paths: Sequence[Path], schema: pa.Schema, pair: tuple[str, str]
) -> dict[Path, pl.DataFrame]:
    found = {}
    for path in paths:
        if identify(path).pair == pair:
            rows = pl.DataFrame(read_table(path, schema.names))
            check_pair(path, rows.select("model", "dataset").unique().iter_rows())
            found[path] = rows
    return found


def _whole(parts: dict[Path, pl.DataFrame], schema: pa.Schema) -> pl.DataFrame:
    return pl.concat(parts.values()) if parts else pl.DataFrame(schema.empty_table())
