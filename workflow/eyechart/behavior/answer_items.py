"""Ask a model a dataset's questions under each requested condition.

Reads the model's checkpoint and card and the dataset's two tables. Writes one table per condition,
named after the condition: ``sighted``, ``blank``, ``noise``, ``swapped`` or ``no_image``. The model
is loaded once. For a model that reads text, responses are the log-probability of every choice after
the prompt, and greedy text; an encoder with a text tower compares the image with a text per choice.
An item that asks which of its images a statement describes has no row if the images are equal, as
two white images are. If items are answered in steps, a table also has the rows of the previous
look, and the model is loaded only if something is still undecided.

    python -m eyechart.behavior.answer_items --model tiny_llava --dataset clevr \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --card results/models/tiny_llava/card.json \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet --seed 7 \
        --settings '{"prompt": "{question}", "scoring": "mean", "orders": 1, "items": "test", \
            "most": null, "greedy": "none", "greedy_tokens": 16, "batch_size": 64, \
            "statement": "{question} {choice}", "caption": "a photo of {statement}"}' \
        --part 0 --parts 1 --looks '{}' --so-far --decided \
        --outputs results/behavior/responses/tiny_llava/clevr/sighted.parquet \
            results/behavior/responses/tiny_llava/clevr/blank.parquet
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from eyechart.behavior import ask_encoder
from eyechart.behavior.ask_vlm import PromptAnswerer, ScoringRequest
from eyechart.behavior.conditions import Item, Stimulus, StimulusBuilder
from eyechart.behavior.settings import LookFlags, PartFlags, ResponseSettings, choose_items
from eyechart.core import errors
from eyechart.core.files import read_json
from eyechart.core.step import Fields, command
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.choice_tokens import Response
from eyechart.inference.chosen_items import read_image_files
from eyechart.inference.prompts import parse
from eyechart.models.families.base import Adapter
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags
from eyechart.tables.choice_scoring import LETTER, PMI, SIMILARITY, choose, score
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.responses import ANSWERS, joined_responses

logger = logging.getLogger(__name__)

WHITE_SIZE = (336, 336)  # pixels, of the white image of families that need one


class ItemAnswerer:
    """A loaded model that answers all items, one condition at a time."""

    def __init__(
        self,
        adapter: Adapter,
        shares_prefix: bool,
        settings: ResponseSettings,
        builder: StimulusBuilder,
    ) -> None:
        self.adapter, self.shares_prefix = adapter, shares_prefix
        self.settings, self.given = settings, builder
        self.batches = AdaptiveBatchSize(settings.batch_size, "behavior.batch_size", adapter)
        self.lost: dict[str, str] = {}  # items that the model's own code rejects, with reasons

    @cached_property
    def builder(self) -> StimulusBuilder:
        """The builder of images for all items that the model can answer."""
        for item, reason in self.left_out.items():
            logger.warning("item %r is not answered: %s", item, reason)
        return self.given.without(self.left_out)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The reason why the model cannot answer an item, by the id of each such item."""
        items = self.given.items
        if not isinstance(self.adapter, LanguageAdapter):
            towers, how = ask_encoder.two_towers(self.adapter), self.settings
            texts = partial(ask_encoder.texts, statement=how.statement, caption=how.caption)
            return {
                i["item_id"]: w for i in items if (w := ask_encoder.refusal(towers, i, texts(i)))
            }
        most = self.adapter.MAX_IMAGES_PER_PROMPT
        counts = {item["item_id"]: len(item["images"]) for item in items}
        found = {item: n for item, n in counts.items() if most and n > most}
        return {item: f"{n} images, {most} can be shown at once" for item, n in found.items()}

    def rows(self, condition: str) -> list[dict[str, Any]]:
        """Return the sorted rows of a condition, or none if the model does not support it."""
        if condition == "no_image" and not getattr(self.adapter, "ACCEPTS_TEXT_ONLY", False):
            family = self.adapter.spec.family
            logger.warning("%s: no rows, family %s needs an image", condition, family)
            return []
        if not self.builder.stimuli(condition):
            logger.warning("%s: no rows, an item has no images of another group", condition)
            return []
        if isinstance(self.adapter, LanguageAdapter):
            rows = list(self._read(self.adapter, condition))
        else:
            rows = list(self._compare(ask_encoder.two_towers(self.adapter), condition))
        return sorted(rows, key=lambda row: (row["item_id"], row["order"]))

    def _read(self, adapter: LanguageAdapter, condition: str) -> Iterator[dict[str, Any]]:
        settings, style = self.settings, self.settings.style
        for item in self.builder.items:
            if item["form"] == "which_image":
                raise errors.UserError(
                    f"item {item['item_id']!r} asks which image a statement describes, which only "
                    "an encoder with a text tower can answer; leave the dataset out for this model"
                )
        shown = self.builder.stimuli(condition)
        plan = [
            (item, variant, stimuli, images)
            for item, (stimuli, images) in zip(self.builder.items, shown, strict=True)
            for variant in style.variants(item)
        ]
        asked = [
            ScoringRequest(n, stimuli, variant.prompt, variant.scored, settings.wants_text(item))
            for n, (item, variant, stimuli, _) in enumerate(plan)
        ]
        reader = PromptAnswerer(adapter, self.shares_prefix, settings.greedy_tokens, self.batches)
        bar = tqdm(total=len(asked), unit=" prompts", desc=condition, mininterval=1.0)
        for done in reader.run(asked):
            bar.update(len(done))
            for number, said in done:
                item, variant, _, images = plan[number]
                letters = variant.letters if settings.scoring == LETTER else None
                row = row_of(item, variant.order, images, variant.prompt, said, letters)
                yield row | self._chosen(item, row, settings.scoring)
        bar.close()
        self.lost |= {plan[number][0]["item_id"]: why for number, why in reader.lost.items()}

    def _compare(self, adapter: ask_encoder.TwoTowers, condition: str) -> Iterator[dict[str, Any]]:
        statement, caption = self.settings.statement, self.settings.caption
        every = zip(self.builder.items, self.builder.stimuli(condition), strict=True)
        shown = [(item, *seen) for item, seen in every if not nothing_to_choose(item, seen[0])]
        if len(shown) < len(self.builder.items):
            count = len(self.builder.items)
            text = "%s: does not apply to %d of %d items, whose images are the same"
            logger.warning(text, condition, count - len(shown), count)
        matches = [
            ask_encoder.MatchRequest(stimuli, ask_encoder.texts(item, statement, caption))
            for item, stimuli, _ in shown
        ]
        found = ask_encoder.answer(adapter, matches, self.batches)
        for (item, _, images), said in zip(shown, found, strict=True):
            if isinstance(said, str):
                self.lost[item["item_id"]] = said
                continue
            text = (
                caption.format(statement=item["prompt"])
                if item["form"] == "which_image"
                else statement.format(question=item["prompt"], choice="{choice}")
            )
            row = row_of(item, 0, images, text, said, None)
            yield row | self._chosen(item, row, SIMILARITY)

    def _chosen(self, item: Item, row: dict[str, Any], scoring: str) -> dict[str, Any]:
        """Return the columns that depend on the scoring method."""
        choices = item["choices"]
        without = [self._without[c] for c in choices] if scoring == PMI else None
        scores = score(scoring, row["log_probability"], row["tokens"], without)
        return {
            "scoring": scoring,
            "unconditional": without,
            "predicted": choices[choose(scores, item["item_id"], row["order"])] if scores else None,
        }

    @cached_property
    def _without(self) -> dict[str, float]:
        """Return the log-probability of every choice without question, options and image.

        Families that need an image get a white one.
        """
        adapter = self.adapter
        assert isinstance(adapter, LanguageAdapter)
        choices = sorted({c for item in self.builder.items for c in item["choices"]})
        stimuli = () if adapter.ACCEPTS_TEXT_ONLY else (Stimulus(size=WHITE_SIZE),)
        prompt = self.settings.prompt.format(question="", options="").strip()
        asked = [ScoringRequest(n, stimuli, prompt, (c,), False) for n, c in enumerate(choices)]
        reader = PromptAnswerer(adapter, self.shares_prefix, 1, self.batches)
        found = {
            choices[number]: said.log_probability[0]
            for done in reader.run(asked)
            for number, said in done
        }
        for why in reader.lost.values():
            raise errors.UserError(why)
        return found


def nothing_to_choose(item: Item, stimuli: Sequence[Stimulus]) -> bool:
    """Return whether an item asks which image is meant although two of its images are equal."""
    distinct = {(stimulus.name, stimulus.path) for stimulus in stimuli}
    return item["form"] == "which_image" and len(distinct) < len(stimuli)


def row_of(
    item: Item,
    order: int,
    images: Sequence[str],
    prompt: str,
    said: Response,
    letters: Sequence[str] | None,
) -> dict[str, Any]:
    """Return a response's columns, except those that depend on the table or scoring method.

    Raise a UserError if a log-probability is not finite.
    """
    choices, scores = item["choices"], said.log_probability
    if not all(map(math.isfinite, scores)):
        raise errors.UserError(
            f"item {item['item_id']!r}: a score is NaN or infinite; try loading.dtype: float32"
        )
    return {
        "item_id": item["item_id"],
        "order": order,
        "shown": list(images),
        "prompt": prompt,
        "log_probability": scores,
        "tokens": said.tokens,
        "text": said.text,
        "parsed": None if said.text is None else parse(said.text, choices, letters),
    }


@command
def main(
    *,
    model: str,
    dataset: str,
    settings: Fields[ResponseSettings],
    card: Path,
    items: Path,
    images: Path,
    seed: int,
    outputs: list[Path],
    piece: PartFlags,
    steps: LookFlags,
    flags: LoadFlags,
) -> None:
    """Write one table per condition."""
    for path in outputs:
        if path.stem not in CONDITIONS:
            raise errors.UserError(f"--outputs: {path}; {errors.nearest(path.stem, CONDITIONS)}")
    every = choose_items(items, settings, seed)
    asked, note = steps.choose(every, dataset, seed)
    asked = piece.own(asked)
    paths, sizes = read_image_files(images)
    builder = StimulusBuilder(asked, paths, seed, every, sizes)
    examiner = None
    if asked:
        adapter = load(*flags.what())
        examiner = ItemAnswerer(adapter, read_json(card)["shares_prefix"], settings, builder)
    rows = {path: examiner.rows(path.stem) if examiner else [] for path in outputs}
    lost = examiner.lost if examiner else {}
    left = {**examiner.left_out, **lost} if examiner else {}
    for item, why in lost.items():  # from all conditions, since they are compared on the same items
        logger.warning("item %r is left out: %s", item, why)
    for path, before in zip_longest(outputs, steps.so_far):
        whose = {"model": model, "dataset": dataset, "condition": path.stem}
        own = [whose | row for row in rows[path] if row["item_id"] not in lost]
        tables = [pa.Table.from_pylist(own, ANSWERS.with_metadata(note or None))]
        tables += [read_table(before)] if before else []
        write_table(path, joined_responses(tables, left))


if __name__ == "__main__":
    main()
