"""Assemble skills from tables: all stages of a skill, on the items that the stages share."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.statistics.best_address import cross_fitted
from eyechart.tables.readouts import TASKS
from eyechart.tables.verdict import PATTERN, POSITION, QUESTION, SIX, STAGES
from eyechart.verdict.candidates import candidates
from eyechart.verdict.causal import CausalEvidence
from eyechart.verdict.evidence import Skill, StageEvidence
from eyechart.verdict.representations import ProbeResults

log = logging.getLogger(__name__)

BEFORE = ("alone", "encoder", "connector", "lm_best", "lm_last")  # the stages that readouts cover


@dataclass(frozen=True)
class VerdictInputs:
    """All inputs of one model and dataset.

    ``responses`` come from :func:`eyechart.verdict.responses.read_responses`, ``readouts`` from
    :func:`eyechart.verdict.representations.read_readouts` (or None). ``probes``, ``looks`` (the
    numbers of items planned up to each look) and ``causal`` are by task.
    """

    model: str
    dataset: str
    items: pl.DataFrame
    responses: pl.DataFrame
    readouts: pl.DataFrame | None
    probes: dict[str, ProbeResults]
    looks: dict[str, tuple[int, ...]] = field(default_factory=dict)
    causal: dict[str, CausalEvidence] = field(default_factory=dict)

    def tasks(self) -> list[str]:
        """Return the tasks with any evidence."""
        read = [] if self.readouts is None else self.readouts["task"].to_list()
        rows = self.items.join(self.responses, on="item_id", how="semi")["task"]
        return sorted({*rows, *read, *self.probes})


def skills(source: VerdictInputs, encoder: Collection[str], seed: int) -> list[Skill]:
    """Return the skills of a dataset, by task.

    Parameters
    ----------
    source : VerdictInputs
    encoder : collection of str
        The encoder's addresses: those that the connector reads, or the configured one.
    seed : int
        Seed of the halves on which addresses are chosen and scored.

    Raises
    ------
    UserError
        If the stages of a task have no items in common, if no readout exists at all stages, or if
        the encoder address does not exist.
    """
    found, fewer = [], []
    for task in source.tasks():
        where = f"{source.model} on {source.dataset}, task {task!r}"
        own = source.items.filter(pl.col("task") == task).sort("item_id")
        read: dict[str, pl.DataFrame] = {}
        seen = ""
        if source.readouts is not None:
            rows = source.readouts.filter(pl.col("task") == task)
            read, seen = candidates(rows, encoder, where)
        tables = [*read.values(), *_own_tables(source, task, own)]
        if not tables:  # only incomparable evidence, such as a DPT head
            continue
        shared = _shared(own, tables, where)
        if len(shared) < (most := max(map(len, tables))):
            fewer.append(f"{task} {len(shared)} of {most}")
        rng = generator("verdict", seed, source.model, source.dataset, task)
        found.append(_skill(source, task, shared, read, seen, rng))
    if fewer:
        where = f"{source.model} on {source.dataset}"
        said = "stages are compared on their common items"
        log.info("%s: %s: %s", where, said, ", ".join(fewer))
    return found


def add_encoder(
    found: Iterable[Skill], encoder: str, dataset: str, items: pl.DataFrame, responses: pl.DataFrame
) -> list[Skill]:
    """Return the skills with the contained encoder's responses to the same patterns.

    The encoder matches a statement to one of two images, so its items differ from the model's. The
    two cannot be paired and are compared as independent samples.
    """
    rows = items.join(responses, on="item_id", how="inner")
    result = []
    for skill in found:
        own, stages = rows.filter(pl.col("task") == skill.name), skill.stages
        if skill.band == PATTERN and len(own) and "encoder" not in stages:
            stage = StageEvidence(
                own["sighted"].to_numpy(),
                f"{encoder} on {dataset}",
                "answer",
                float((1 / own["choices"].list.len()).mean()),  # type: ignore[arg-type]
                _strings(own["group"]),
            )
            stages = {"encoder": stage, **stages}
        result.append(replace(skill, stages=stages))
    return result


def _own_tables(source: VerdictInputs, task: str, own: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the responses to a task and the items of its probes, if any."""
    responses = source.responses.join(own, on="item_id", how="semi")
    probed = source.probes.get(task)
    found = [responses] if len(responses) else []
    return found + ([pl.DataFrame({"item_id": probed.ids})] if probed else [])


def _shared(own: pl.DataFrame, tables: list[pl.DataFrame], where: str) -> pl.DataFrame:
    """Return the items of a task that are in all tables."""
    shared = own
    for table in tables:
        shared = shared.join(table.select("item_id"), on="item_id", how="semi")
    if not len(shared):
        raise UserError(
            f"{where}: answers, readouts and probes have no item in common, expected the same "
            "items in all"
        )
    return shared.sort("item_id")


def _skill(
    source: VerdictInputs,
    task: str,
    shared: pl.DataFrame,
    read: dict[str, pl.DataFrame],
    seen: str,
    rng: np.random.Generator,
) -> Skill:
    chance = float((1 / shared["choices"].list.len()).mean())  # type: ignore[arg-type]
    groups = _strings(shared["group"])
    stages: dict[str, StageEvidence] = {}
    for stage in BEFORE:
        if stage in read:
            columns = _pick(shared, read[stage])
            right, address = _choose(columns, groups, rng)
            each = np.stack(list(columns.values()))
            stages[stage] = StageEvidence(right, address, "readout", chance, candidates=each)
    here = source.responses.join(shared, on="item_id", how="semi")
    responses = _pick(shared, here) if len(here) else {}
    for name in ("sighted", "blind"):
        if name in responses:
            stages[name] = StageEvidence(responses[name], "", "answer", chance)
    if task in source.probes:
        probed = _probed(shared, source.probes[task], chance, stages.get("blind"))
        # if readouts measure the image tokens, probes measure only the answer position
        stages |= {k: v for k, v in probed.items() if not read or k in POSITION}
    band = _band(task, shared)
    if _matches_statements(shared) and "sighted" in stages and "encoder" not in stages:
        stages["encoder"] = stages["sighted"]  # this encoder has only responses
    ordered = {name: stages[name] for name in STAGES if name in stages}
    changed = responses.get("changed")
    looks = source.looks.get(task, ()) if responses else ()
    answered = len(source.items.filter(task=task).join(source.responses, on="item_id", how="semi"))
    unknown = source.probes[task].unknown if task in source.probes else ""
    return Skill(
        *(source.dataset, task, band, seen, groups, chance, ordered, changed, looks, answered),
        unknown=unknown,
        causal=source.causal.get(task),
    )


def _choose(
    columns: dict[str, np.ndarray], groups: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    right, chosen = cross_fitted(np.stack(list(columns.values())), groups, rng)
    names = [name.split(" ")[0] for name in columns]
    return right, ", ".join(dict.fromkeys(names[i] for i in chosen))


def _probed(
    shared: pl.DataFrame, probed: ProbeResults, chance: float, blind: StageEvidence | None
) -> dict[str, StageEvidence]:
    columns = {stage: right for stage, (_, right) in probed.stages.items()}
    right = _pick(shared, _table(probed.ids, majority=probed.majority, **columns))
    floor = max(chance, float(right["majority"].mean()))
    # the language model also reads the question, so its floor is the accuracy from the question
    # alone
    asked = max(floor, float(blind.right.mean())) if blind else floor
    return {
        stage: StageEvidence(
            right[stage],
            address,
            "probe",
            floor if stage in ("encoder", "connector") else asked,
            bound=probed.typed and stage not in POSITION,
        )
        for stage, (address, _) in probed.stages.items()
    }


def _band(task: str, items: pl.DataFrame) -> str:
    if task in TASKS:
        return SIX
    return QUESTION if items["pair"].is_null().all() else PATTERN


def _matches_statements(items: pl.DataFrame) -> bool:
    forms = items["meta"].str.json_path_match("$.form")
    return bool((forms == "which_image").fill_null(False).all())


def _pick(shared: pl.DataFrame, table: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return a table's columns in the order of the shared items; NaN for missing items."""
    rows = shared.select("item_id").join(table, on="item_id", how="left", maintain_order="left")
    return {name: rows[name].to_numpy() for name in table.columns if name != "item_id"}


def _table(ids: np.ndarray, **columns: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"item_id": ids, **columns})


def _strings(column: pl.Series) -> np.ndarray:
    return np.array(column.to_list(), dtype=str)
