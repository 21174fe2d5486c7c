"""Planted models with known failures, as tables of the workflow.

A model is a score for each choice at every address. The score of the correct choice is raised where
the model has the information. Each address adds a little noise to the previous one. The response is
the choice with the highest score, which comes from the last address, a preference for one choice,
the question, or a mixture of these.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.core.address import CENTER, COMPONENTS
from eyechart.core.files import write_json
from eyechart.plan import paths
from eyechart.tables.choice_scoring import SIMILARITY
from eyechart.tables.items import ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.probes import PREDICTIONS as PROBE_PREDICTIONS
from eyechart.tables.probes import PROBES
from eyechart.tables.readouts import PREDICTIONS
from eyechart.tables.responses import ANSWERS
from eyechart.tables.verdict import (
    ENCODED,
    LOST_IN_CONNECTOR,
    LOST_IN_LM,
    NOT_ENCODED,
    NOT_RETRIEVED,
    NOT_USED,
    NOT_VERBALISED,
    PRIOR,
    UNDECIDED,
    USED,
)

READ_BLOCK, UNREAD_BLOCK, CONNECTOR = "vision.2", "vision.3", "connector"
LM = ("lm.0", "lm.1", "lm.2", "lm.3", "lm.norm")
PATH = (READ_BLOCK, CONNECTOR, *LM)  # each address gets its information from the previous one
FULL, NOISE = 1.5, 0.25  # accuracy 0.67 with four choices, slightly less at each address
SEEN, PART = 3.0, 1.0  # accuracies of 0.95 and 0.52 with four choices
QUESTION = 0.75  # the information that the question gives away in "question"
SPAN = "last"


@dataclass(frozen=True)
class Scenario:
    """A planted model and its correct classes.

    Attributes
    ----------
    right : the correct classes; ``undecided`` is never wrong
    holds : by component (``vision``, ``unread``, ``connector``, ``lm`` and ``lm_end``, its first
        and later blocks, ``position``), how far the true choice's score is raised there
    response : ``features`` of the answer position, ``letter``, ``question``, or ``part``
    kind : ``vlm`` or ``encoder``
    evidence : ``readout`` of image tokens, ``probe`` of the answer position, ``chain`` of probes
        from the encoder to there, or ``none``
    blur : noise by which a blind response differs from the preference or the question
    """

    right: tuple[str, ...]
    holds: dict[str, float] = field(default_factory=dict)
    response: str = "features"
    choices: int = 4
    kind: str = "vlm"
    evidence: str = "readout"
    blur: float = 0.1


def _up_to(last: str, lift: float) -> dict[str, float]:
    """Return the score lifts of a model with the information in all components up to ``last``."""
    order = (*COMPONENTS[:3], "lm_end", "position")
    return dict.fromkeys(order[: order.index(last) + 1], lift)


ALL = _up_to("position", FULL) | {"unread": FULL}
HINT = {"vision": SEEN, "lm": 0.5, "lm_end": 0.5}
NEAR = dict.fromkeys(ALL, 0.36)  # an accuracy that exceeds chance by about the margin
CHAIN = {
    "chain: works": Scenario((USED,), _up_to("position", SEEN)),
    "chain: works, of two choices": Scenario((USED,), _up_to("position", SEEN), choices=2),
    "chain: sees nothing": Scenario((NOT_ENCODED,)),
    "chain: hardly sees": Scenario((NOT_ENCODED,), _up_to("lm_end", 0.5)),
    "chain: erased in the connector": Scenario((LOST_IN_CONNECTOR,), _up_to("vision", SEEN)),
    "chain: erased after the connector": Scenario((LOST_IN_LM,), _up_to("connector", SEEN)),
    "chain: erased from block to block": Scenario((LOST_IN_LM,), _up_to("lm", SEEN)),
    "chain: not retrieved": Scenario((NOT_RETRIEVED,), _up_to("lm_end", SEEN)),
    "chain: not retrieved, of two choices": Scenario(
        (NOT_RETRIEVED,), _up_to("lm_end", SEEN), choices=2
    ),
    "chain: retrieved in part": Scenario(
        (NOT_RETRIEVED,), _up_to("lm_end", SEEN) | {"position": PART}
    ),
    "chain: not verbalised": Scenario((NOT_VERBALISED,), _up_to("position", SEEN), "letter"),
    "chain: verbalised in part": Scenario((NOT_VERBALISED,), _up_to("position", SEEN), "part"),
    # `used` also names the largest loss, so both are correct for a small loss
    "chain: loses 15 points in retrieval": Scenario(
        (NOT_RETRIEVED, USED), _up_to("lm_end", SEEN) | {"position": 2.1}
    ),
    # the encoder has no planted information, so `not_encoded` is also correct for the next two
    "chain: answers alike, sees nothing": Scenario((PRIOR, NOT_ENCODED), {}, "letter", blur=0.03),
    "chain: reads the question, sees nothing": Scenario((PRIOR, NOT_ENCODED), {}, "question"),
    "chain: reads the question alone": Scenario(
        (PRIOR, NOT_RETRIEVED), _up_to("lm_end", SEEN), "question"
    ),
    "chain: answers alike, erased in the connector": Scenario(
        (PRIOR, LOST_IN_CONNECTOR), _up_to("vision", SEEN), "letter", blur=0.03
    ),
    "chain: answers alike, place reveals a little": Scenario(
        (PRIOR, LOST_IN_CONNECTOR), HINT, "letter", choices=2, blur=0.03
    ),
    "chain: answers alike and does not look": Scenario(
        (NOT_RETRIEVED,), _up_to("lm_end", SEEN), "letter", blur=0.03
    ),
}
SCENARIOS = {
    "works": Scenario((USED,), ALL),
    "works, of two choices": Scenario((USED,), ALL, choices=2),
    "sees nothing": Scenario((NOT_ENCODED,)),
    "sees nothing, of two choices": Scenario((NOT_ENCODED,), choices=2),
    "only an unread block has it": Scenario((NOT_ENCODED,), {"unread": FULL}),
    "erased before the connector": Scenario((LOST_IN_CONNECTOR,), {"vision": FULL, "unread": FULL}),
    "only the read block has it": Scenario((LOST_IN_CONNECTOR,), {"vision": FULL}),
    "erased after the connector": Scenario((LOST_IN_LM,), _up_to("connector", FULL)),
    "ignored by the head": Scenario((NOT_USED,), ALL, "letter"),
    "retrieved in part": Scenario((NOT_USED,), ALL, "part"),
    "a probe finds it, the answer does not": Scenario(
        (NOT_VERBALISED,), ALL, "letter", evidence="probe"
    ),
    # the language model holds information that the answer does not use: `not_used` is also correct
    "reads the question alone": Scenario((PRIOR, NOT_USED), ALL, "question"),
    # the encoder has no planted information, so `not_encoded` is also correct
    "reads the question and sees nothing": Scenario((PRIOR, NOT_ENCODED), {}, "question"),
    "answers alike without the image": Scenario((PRIOR,), {}, "letter", evidence="none", blur=0.03),
    "an encoder has it": Scenario((ENCODED,), ALL, kind="encoder"),
    "an encoder lacks it": Scenario((NOT_ENCODED,), kind="encoder"),
    "the encoder's readout misses it": Scenario(
        (NOT_USED,), {"connector": FULL, "lm": FULL, "lm_end": FULL}, "letter"
    ),
    "the connector alone has it": Scenario((UNDECIDED, LOST_IN_LM), {"connector": FULL}),
    "as far above chance as the margin": Scenario((UNDECIDED, USED, NOT_ENCODED), NEAR),
    **{name: replace(case, evidence="chain") for name, case in CHAIN.items()},
}


def choices_of(case: Scenario, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the choices at every address and in both conditions, (n,) each; choice 0 is true.

    The answer position has the language model's addresses with the suffix ``/last``.
    """
    c = case.choices
    noise = rng.normal(size=(n, c))
    scores = {}

    def lifted(noise: np.ndarray, component: str) -> np.ndarray:
        return noise + case.holds.get(component, 0.0) * (np.arange(c) == 0)

    for address in PATH:
        noise = noise + NOISE * rng.normal(size=(n, c))
        component = {READ_BLOCK: "vision", CONNECTOR: CONNECTOR, LM[0]: "lm"}.get(address, "lm_end")
        scores[address] = lifted(noise, component)
        if address == READ_BLOCK:
            scores[UNREAD_BLOCK] = lifted(noise + NOISE * rng.normal(size=(n, c)), "unread")
        elif address in LM:
            further = NOISE if case.evidence == "chain" else 0.0  # otherwise it is the last address
            own = noise + further * rng.normal(size=(n, c))
            scores[f"{address}/{SPAN}"] = lifted(own, "position")
    letter, question = rng.normal(size=(n, c)), rng.normal(size=(n, c))
    question[:, 0] += QUESTION
    heads = {"features": scores[f"{LM[-1]}/{SPAN}"], "letter": letter, "question": question}
    heads["part"] = noise + 0.4 * case.holds.get("position", 0.0) * (np.arange(c) == 0)
    head = heads[case.response]
    blind = head if case.response in ("letter", "question") else letter
    scores |= {"sighted": head, "blank": blind + case.blur * rng.normal(size=(n, c))}
    return {place: found.argmax(1) for place, found in scores.items()}


@dataclass(frozen=True)
class PlantedTables:
    """The paths of a planted model's tables; lists of missing tables are empty."""

    card: Path
    items: list[Path]
    answers: list[Path]
    readouts: list[Path]
    probes: list[Path]


def write_tables(
    root: Path,
    model: str,
    dataset: str,
    case: Scenario,
    tasks: dict[str, int],
    rng: np.random.Generator,
    size: int = 1,
) -> PlantedTables:
    """Write the tables of one planted model below a folder, as the workflow does.

    ``tasks`` is the number of items by skill, and ``size`` the number of items per group; a group's
    items are either all right or all wrong.
    """
    letters = np.array(list("ABCDEFGH"[: case.choices]))
    chosen: dict[str, list[np.ndarray]] = {}
    for n in tasks.values():
        for place, one in choices_of(case, -(-n // size), rng).items():
            chosen.setdefault(place, []).append(np.repeat(one, size)[:n])
    task = np.repeat(list(tasks), list(tasks.values()))
    truth = rng.integers(case.choices, size=len(task))
    said = {p: letters[(np.concatenate(c) + truth) % case.choices] for p, c in chosen.items()}
    number = np.concatenate([np.arange(n) for n in tasks.values()])
    items = pl.DataFrame({"task": task, "answer": letters[truth]}).with_columns(
        item_id=pl.col("task") + pl.Series(np.char.mod("-%04d", number)),
        group=pl.col("task") + pl.Series(np.char.mod("-g%04d", number // size)),
    )
    at = {"model": model, "dataset": dataset}
    found = PlantedTables(
        root / paths.CARD.at(model=model),
        [root / paths.ITEMS.at(dataset=dataset)],
        [root / paths.RESPONSES.at(**at, condition=c) for c in ("sighted", "blank")],
        [root / paths.READOUT_PREDICTIONS.at(**at)] * (case.evidence == "readout"),
        [
            root / paths.PROBES.at(**at, task=t)
            for t in tasks
            if case.evidence in ("probe", "chain")
        ],
    )
    write_json(found.card, {"reads": [READ_BLOCK]})
    _write(found.items[0], ITEMS, items, choices=letters.tolist(), images=["i"], prompt="Which?",
           split="val", group_split="test", type="t", meta="{}")  # fmt: skip
    for path in found.answers:
        own = items.with_columns(predicted=pl.Series(said[path.stem]))
        _write(path, ANSWERS, own, **at, condition=path.stem, order=0, scoring=SIMILARITY)
    for path in found.readouts:
        _write(path, PREDICTIONS, _readouts(items, said, case), scores=[0.0] * case.choices)
    for path in found.probes:
        here = items["task"] == path.stem
        known = {place: values[here.to_numpy()] for place, values in said.items()}
        _write_probes(path, items.filter(here), known, case.evidence == "chain", **at)
    if case.kind == "encoder":
        return PlantedTables(found.card, found.items, [], found.readouts, [])
    return found


def _readouts(items: pl.DataFrame, said: dict[str, np.ndarray], case: Scenario) -> pl.DataFrame:
    vision = case.kind == "encoder"
    places = (READ_BLOCK, UNREAD_BLOCK) if vision else (READ_BLOCK, UNREAD_BLOCK, CONNECTOR, *LM)
    seen = "alone" if vision else "canvas"
    return pl.concat(
        items.with_columns(
            predicted=pl.Series(said[place]), address=pl.lit(place), seen=pl.lit(seen),
            readout=pl.lit("points"),
        )
        for place in places
    )  # fmt: skip


def _write_probes(
    path: Path,
    items: pl.DataFrame,
    said: dict[str, np.ndarray],
    chain: bool,
    model: str,
    dataset: str,
) -> None:
    """Write the probes of a task at the probed stages, and the majority answer."""
    truth = items.select(id="item_id", truth="answer")
    majority = np.full(len(items), items["answer"].mode().sort()[0])
    places = [(a, CENTER, a) for a in (PATH if chain else ())]
    places += [(a, SPAN, f"{a}/{SPAN}") for a in LM]
    rows: list[dict[str, object]] = [{"address": "", "kind": "majority", "span": "", "probe": ""}]
    task = {"kind": "task", "probe": "linear", "seed": 0, "cv_accuracy": 0.5}
    rows += [{"address": address, "span": span, **task} for address, span, _ in places]
    said_by_row = [majority, *(said[place] for _, _, place in places)]
    metrics = pl.DataFrame(rows)
    _write(path, PROBES, metrics, model=model, dataset=dataset, task=path.stem, scope="item")
    predictions = pl.concat(
        [
            truth.with_columns(
                *(pl.lit(v).alias(k) for k, v in row.items()), prediction=pl.Series(values)
            )
            for row, values in zip(rows, said_by_row, strict=True)
        ],
        how="diagonal_relaxed",
    )
    _write(path.with_suffix(".predictions.parquet"), PROBE_PREDICTIONS, predictions)


def _write(path: Path, schema: pa.Schema, rows: pl.DataFrame, **constant: object) -> None:
    """Write a table; columns that are not given are null."""
    found = rows.with_columns(
        *(pl.lit(constant.get(name)).alias(name) for name in schema.names if name not in rows)
    )
    write_table(path, found.select(schema.names).to_arrow().cast(schema))
