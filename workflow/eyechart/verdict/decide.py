"""Decide for each skill where a model has the information and whether its answer uses it.

Reads: items and responses of every dataset that the model answers, predictions of readouts
(``<dataset>.predictions.parquet``) and tables of probes (with their predictions next to them); for
a VLM that contains an encoder, also the encoder's responses to pairs of images; the effects of
interventions, with the erasers next to them; the model's card, which states what its connector
reads. Model and dataset are read from the paths, so the paths must follow the workflow's patterns.
Writes: the values of every stage of every skill (--output), the class of every skill (--classes)
and the differences between stages (--differences).

    python -m eyechart.verdict.decide --model tiny_llava --kind vlm --contains tiny_clip \
        --card results/models/tiny_llava/card.json \
        --items results/datasets/blink/items.parquet results/datasets/mmvp/items.parquet \
        --answers results/behavior/responses/tiny_llava/blink/sighted.parquet \
            results/behavior/responses/tiny_llava/blink/blank.parquet \
        --readouts results/readout/tiny_llava/blink.predictions.parquet \
        --probes results/probing/tiny_llava/clevr/color.parquet \
        --encoder-items results/datasets/mmvp_vlm/items.parquet \
        --encoder-answers results/behavior/responses/tiny_clip/mmvp_vlm/sighted.parquet \
        --effects results/interventions/tiny_llava/clevr/effects.parquet \
        --settings '{"alpha": 0.01, "margin": 0.1, "encoder": "vision.read", "blind": "blank",
                     "patterns": {"mmvp": "mmvp_vlm"}}' \
        --seed 7 --output results/verdict/tiny_llava.parquet \
        --classes results/verdict/tiny_llava.classes.parquet \
        --differences results/verdict/tiny_llava.differences.parquet
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl

from eyechart.core.address import READ
from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read_json
from eyechart.core.step import Json, Paths, command
from eyechart.plan import paths
from eyechart.tables.looks import read_planned
from eyechart.tables.read_responses import read_items
from eyechart.tables.verdict import write_verdict
from eyechart.verdict.assemble import VerdictInputs, add_encoder, skills
from eyechart.verdict.causal import read_causal
from eyechart.verdict.evidence import Skill
from eyechart.verdict.representations import ProbeResults, read_probes, read_readouts
from eyechart.verdict.responses import read_responses
from eyechart.verdict.rules import VerdictThresholds
from eyechart.verdict.table import rows

Settings = dict[str, Any]
Items = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Sources:
    """The flags for a model and the files with its evidence; lists may be empty."""

    model: str
    card: Path
    contains: Annotated[str, {"help": "encoder in a VLM; '' if unknown"}]
    items: Paths
    answers: Paths
    readouts: Paths
    probes: Paths
    encoder_items: Paths
    encoder_answers: Paths
    effects: Paths
    settings: Json


def read_sources(args: Sources, encoder: Collection[str]) -> list[VerdictInputs]:
    """Load all evidence of the model, by dataset; ``encoder`` names the encoder's addresses.

    Raises
    ------
    UserError
        If a path belongs to another model, or to a dataset without items.
    """
    items = {_names_in(path, paths.ITEMS)["dataset"]: read_items(path) for path in args.items}
    blind = args.settings["blind"]
    answers = _by_dataset(args.answers, args.model, items)
    read: dict[str, pl.DataFrame] = {}
    probes: dict[str, dict[str, ProbeResults]] = defaultdict(dict)
    for path in args.readouts:
        dataset = _checked(path, paths.READOUT_PREDICTIONS, args.model, items)
        read[dataset] = read_readouts(path, items[dataset])
    for path in args.probes:
        dataset = _checked(path, paths.PROBES, args.model, items)
        found = read_probes(path, args.model, dataset, encoder)
        if found:
            probes[dataset][found[0]] = found[1]
    causal = {}
    for path in args.effects:
        dataset = _checked(path, paths.INTERVENTIONS, args.model, items)
        causal[dataset] = read_causal(path, args.model, dataset)
    return [
        VerdictInputs(
            args.model,
            dataset,
            own,
            read_responses(answers.get(dataset, []), args.model, dataset, own, blind),
            read.get(dataset),
            probes.get(dataset, {}),
            read_planned(answers[dataset][0]) if dataset in answers else {},
            causal.get(dataset, {}),
        )
        for dataset, own in items.items()
    ]


def with_encoder(found: list[Skill], dataset: str, args: Sources) -> list[Skill]:
    """Return a dataset's skills, with the contained encoder's own responses if there are any."""
    other = args.settings["patterns"].get(dataset)
    items = {_names_in(path, paths.ITEMS)["dataset"]: path for path in args.encoder_items}
    if not args.contains or other not in items:
        return found
    other_items = read_items(items[other])
    answers = _by_dataset(args.encoder_answers, args.contains, {other: other_items})
    responses = read_responses(
        answers.get(other, []), args.contains, other, other_items, args.settings["blind"]
    )
    return add_encoder(found, args.contains, other, other_items, responses)


def _by_dataset(answers: list[Path], model: str, items: Items) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in answers:
        here = paths.LOOK_RESPONSES if paths.LOOK_RESPONSES.match(path) else paths.RESPONSES
        found.setdefault(_checked(path, here, model, items), []).append(path)
    return found


def _names_in(path: Path, pattern: paths.Pattern) -> paths.Names:
    names = pattern.match(path)
    if names is None:
        raise UserError(f"{path}: expected a path of the form {pattern.text}")
    return names


def _checked(path: Path, pattern: paths.Pattern, expected: str, items: Items) -> str:
    """Return the dataset in a table's path; check its model, and that its items are known."""
    names = _names_in(path, pattern)
    model, dataset = names["model"], names["dataset"]
    if model != expected:
        raise UserError(f"{path}: belongs to model {model!r}, expected {expected!r}")
    if dataset not in items:
        raise UserError(
            f"{path}: the items of dataset {dataset!r} were not given; {nearest(dataset, items)}"
        )
    return dataset


def read_thresholds(settings: Settings) -> VerdictThresholds:
    """Return the thresholds that the facts use.

    Raises
    ------
    UserError
        If ``alpha`` or ``margin`` is not between 0 and 1.
    """
    for name in ("alpha", "margin"):
        if not 0 < settings[name] < 1:
            raise UserError(
                f"--settings: {name} is {settings[name]!r}, expected a number between 0 and 1"
            )
    return VerdictThresholds(settings["alpha"], settings["margin"])


@command
def main(
    *,
    args: Sources,
    kind: Literal["vlm", "encoder"],
    seed: int,
    output: Path,
    classes: Path,
    differences: Path,
) -> None:
    """Run the step."""
    settings = args.settings
    thresholds = read_thresholds(settings)
    encoder = [settings["encoder"]]
    if encoder == [READ]:
        encoder = read_json(args.card)["reads"]
    found: list[Skill] = []
    for source in read_sources(args, encoder):
        own = skills(source, encoder, seed)
        found += with_encoder(own, source.dataset, args)
    tables = rows(found, args.model, kind, args.contains or None, thresholds)
    note = {name: settings[name] for name in ("alpha", "margin", "blind", "patterns")}
    write_verdict((output, classes, differences), tables, note)


if __name__ == "__main__":
    main()
