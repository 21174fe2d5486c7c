"""Answer a dataset's items under every edit of a model: patch, knock out, ablate, erase.

Reads the model's checkpoint and card, and the dataset's tables and regions, if any. Writes
``edits.parquet`` to the given path and ``erasers.parquet`` next to it. The model is loaded once for
all edits. Edits that are impossible, because attention cannot be cut in a family or an item has no
donor, are left out, and the tables' metadata say why.

    python -m eyechart.interventions.intervene --model tiny_llava --dataset clevr \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --card results/models/tiny_llava/card.json \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --regions results/datasets/clevr/regions.parquet --seed 7 \
        --settings '{"edits": ["patch"], "tasks": ["color"], "items": 20, "training": 20, \
            "addresses": ["lm.*"], "prompt": "{question}", "choices": "text", \
            "scoring": "mean", "batch_size": 64, \
            "options": {"patch": {"tokens": ["image"], "directions": ["noise"]}}}' \
        --output results/interventions/tiny_llava/clevr/edits.parquet
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from tqdm import tqdm

from eyechart.core.address import CONNECTOR, LM, component, parse
from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.core.step import Fields, Paths, command
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.chosen_items import answerable_items, draw_items, read_image_files
from eyechart.inference.failures import Notes
from eyechart.inference.prompts import AskedInOrder
from eyechart.interventions.answers import Answers
from eyechart.interventions.asked import AskedItem, ask
from eyechart.interventions.batch import Batch
from eyechart.interventions.edit import Edit, Setup
from eyechart.interventions.erasers import SIZE
from eyechart.interventions.reader import Reader
from eyechart.interventions.registry import modules
from eyechart.models.addresses import resolve
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags
from eyechart.tables.interventions import EDITS, ERASERS
from eyechart.tables.notes import write_noted
from eyechart.tables.regions import CANVAS, read_regions


def planned(setup: Setup, names: Sequence[str]) -> list[Edit]:
    """Return all edits, ordered by address, so that states are read once."""
    found = [e for m in modules(names) for e in importlib.import_module(m).edits(setup)]
    order = {address: n for n, address in enumerate(dict.fromkeys(e.address for e in found))}
    return sorted(found, key=lambda e: (e.intervention, order[e.address]))


def run(
    reader: Reader, asked: Sequence[AskedItem], edits: Sequence[Edit], size: int | str, say: Notes
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of items under all edits, by batch; skip edits that the family rejects."""
    refused: set[int] = set()

    def answer(few: Sequence[AskedItem]) -> list[dict[str, Any]]:
        batch = Batch(reader, few)
        plain = Answers(batch)
        found = list(plain.unedited())
        for n, edit in enumerate(edits):
            if n in refused:
                continue
            try:
                found += plain.edited(edit, edit.answer(batch))
            except UserError as error:
                refused.add(n)
                say(f"{edit.intervention}: {error}")
        return found

    bar = tqdm(total=len(asked), unit=" items", mininterval=1.0)
    for few, rows in AdaptiveBatchSize(size, SIZE, reader.adapter).over(asked, answer):
        bar.update(len(few))
        yield rows
    bar.close()
    for name in dict.fromkeys(edit.intervention for edit in edits):
        own = [edit for edit in edits if edit.intervention == name and not edit.control]
        for target in dict.fromkeys(edit.target for edit in own):
            here = [edit for edit in own if edit.target == target]
            without = sum(not any(e.applies(one) for e in here) for one in asked)
            if without:
                say(f"{name} of {target}: {without} of {len(asked)} items have no donor or region")


def chosen_addresses(card: dict[str, Any], patterns: Sequence[str]) -> list[str]:
    """Return the connector and language-model blocks that the patterns name.

    Raise a UserError for a pattern that matches nothing, or an address of another kind.
    """
    found = []
    for address in (a.address for a in resolve(card, patterns)):
        block = component(address) == LM and parse(address).block is not None
        if block or address == CONNECTOR:
            found.append(address)
        elif address in patterns:
            raise UserError(
                f"interventions.addresses: {address!r}, expected the connector or blocks of the "
                "language model, such as lm.0"
            )
    return found


@dataclass(frozen=True)
class InterventionSettings(AskedInOrder):
    """The config section ``interventions``.

    Attributes
    ----------
    edits : names in the registry
    tasks : tasks whose items are edited, or all of the dataset's
    items, training : maximum number of items per task, drawn from test and from training groups
    addresses : patterns
    scoring : how choices are scored, as in the behavior stage
    batch_size : items in one forward pass
    options : settings of each intervention
    """

    edits: list[str]
    tasks: list[str] | None
    items: int
    training: int
    addresses: list[str]
    batch_size: int | str
    scoring: str
    options: dict[str, Any]

    def erased(self) -> list[str] | None:
        """Return the tasks that erasers are fitted on, or None for all."""
        named = self.options.get("erase", {}).get("concepts") or []
        return None if self.tasks is None else [*self.tasks, *named]


@command
def main(
    *,
    model: str,
    dataset: str,
    settings: Fields[InterventionSettings],
    card: Path,
    items: Path,
    images: Path,
    regions: Annotated[Paths, {"help": "one, or nothing"}],
    seed: int,
    output: Path,
    flags: LoadFlags,
) -> None:
    """Write the two tables."""
    described, say = read_json(card), Notes()
    addresses = chosen_addresses(described, settings.addresses)
    pool = answerable_items(items, "test", settings.tasks)
    training = answerable_items(items, "train", settings.erased())
    paths, sizes = read_image_files(images)
    marked = {k: v for path in regions for k, v in read_regions(path, CANVAS).items()}
    adapter = load(*flags.what())
    if not isinstance(adapter, LanguageAdapter):
        raise UserError(f"{model}: family {adapter.spec.family} has no language model to change")
    reader = Reader(adapter, described["shares_prefix"], settings.style(), settings.scoring, paths)
    asked = ask(adapter, draw_items(pool, settings.items, seed, "group"), pool, marked, sizes, seed)
    known = ask(
        adapter, draw_items(training, settings.training, seed, "group"), [], marked, sizes, seed
    )
    size = settings.batch_size
    setup = Setup(reader, addresses, asked, known, settings.options, seed, size, say)
    edits = planned(setup, settings.edits)
    named = {"model": model, "dataset": dataset}
    done = [
        pa.Table.from_pylist([named | row for row in rows], EDITS)
        for rows in run(reader, asked, edits, size, say)
    ]
    write_noted(output, pa.concat_tables(done).sort_by("item_id"), say.text())
    fitted = pa.Table.from_pylist([named | row for row in setup.erasers], ERASERS)
    write_noted(output.with_name(f"erasers{output.suffix}"), fitted, say.text())


if __name__ == "__main__":
    main()
