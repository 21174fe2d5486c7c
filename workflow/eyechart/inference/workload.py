"""The workload of one part of a dataset: images in order, and prompts about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from eyechart.core.errors import UserError
from eyechart.tables.parquet import read_table
from eyechart.tables.regions import ALONE, CANVAS, Region, read_regions, referents

T = TypeVar("T")
Regions = Mapping[str, tuple[str, tuple[Region, ...]]]


@dataclass(frozen=True)
class ItemPrompt:
    """A prompt about images, and its row in the item file, if it has one.

    ``regions`` holds the image and the regions on it, by span, for spans that are regions.
    """

    row: int | None
    images: tuple[str, ...]
    prompt: str
    regions: Regions = field(default_factory=dict)


@dataclass(frozen=True)
class ExtractionPart:
    """Images and questions of one part.

    Attributes
    ----------
    images : ids of the part's own images, sorted: the rows of its image file
    foreign : sorted ids of other parts' images that the part's questions also need
    items : ids of the part's questions, sorted: the rows of its item file
    questions : the prompts of these items, by row
    paths : the file of every image, own or foreign
    """

    images: list[str]
    foreign: list[str]
    items: list[str]
    questions: list[ItemPrompt]
    paths: dict[str, Path]

    def order(self) -> list[str]:
        """Return all images in the order in which they are encoded."""
        return [*self.images, *self.foreign]

    def due(
        self, batches: Sequence[Sequence[str]]
    ) -> list[dict[tuple[str, ...], list[ItemPrompt]]]:
        """Return, for each batch, the questions whose last image is in it: these can be read.

        Questions are grouped by their images; questions without an image are left out.
        """
        number = {image: b for b, batch in enumerate(batches) for image in batch}
        found: list[dict[tuple[str, ...], list[ItemPrompt]]] = [{} for _ in batches]
        for question in self.questions:
            if question.images:
                batch = max(number[image] for image in question.images)
                found[batch].setdefault(question.images, []).append(question)
        return found


def plan_part(
    items: Path,
    images: Path,
    part: int,
    parts: int,
    prompt: str,
    regions: Path | None = None,
    encoder: bool = False,
) -> ExtractionPart:
    """Return part ``part`` of ``parts``: images with consecutive ids, and all questions about them.

    A question about several images belongs to the part of its first image; questions without an
    image belong to part 0. An encoder is shown only the images of an item's regions. Raise a
    UserError if a question names an image that is not in the image table, if a region does not fit
    its item or image, or if the template is malformed.
    """
    table = read_table(images, ["image_id", "path"]).sort_by("image_id").to_pylist()
    paths = {row["image_id"]: Path(row["path"]) for row in table}
    every = list(paths)
    own = every[part * len(every) // parts : (part + 1) * len(every) // parts]
    mine = set(own)
    rows = read_table(items, ["item_id", "images", "prompt"])
    chosen = sorted(
        (row["item_id"], tuple(row["images"]), row["prompt"])
        for row in rows.to_pylist()
        if (row["images"][0] in mine if row["images"] else part == 0)
    )
    placed = read_referents(regions, items, images, encoder) if regions else {}
    for item, image in ((item, image) for item, shown, _ in chosen for image in shown):
        if image not in paths:
            raise UserError(f"{items}: item {item!r}: image {image!r} is not in {images}")
    questions = []
    for row, (item, shown, text) in enumerate(chosen):
        at = placed.get(item, {})
        seen = shown_alone(at) if encoder else shown
        questions.append(ItemPrompt(row, seen, format_prompt(prompt, text), at))
    foreign = sorted({p for q in questions for p in q.images} - mine)
    needed = {image: paths[image] for image in [*own, *foreign]}
    return ExtractionPart(own, foreign, [item for item, _, _ in chosen], questions, needed)


def shown_alone(regions: Regions) -> tuple[str, ...]:
    """Return the images that an item's regions are on."""
    return tuple(dict.fromkeys(image for image, _ in regions.values()))


def read_referents(path: Path, items: Path, images: Path, encoder: bool) -> dict[str, Regions]:
    """Return the regions of every item's spans, as shown to a VLM or an encoder alone.

    Raise a UserError if a region names an unknown item or an image that its item does not have, or
    if it extends beyond its image.
    """
    table = read_table(images, ["image_id", "width", "height"]).to_pylist()
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in table}
    columns = ["item_id", "images", "choices", "answer", "meta"]
    known = {row["item_id"]: row for row in read_table(items, columns).to_pylist()}
    named = read_regions(path, CANVAS)
    named |= read_regions(path, ALONE) if encoder else {}
    found: dict[str, Regions] = {}
    for item, of_item in named.items():
        if item not in known:
            raise UserError(f"{path}: item {item!r} is not in {items}")
        for image, region in of_item.values():
            where = f"{path}: item {item!r}"
            if image not in (sizes if encoder else known[item]["images"]):
                raise UserError(f"{where}: {region.name} is on {image!r}, which is not its image")
            region.check(where, image, sizes[image])
        found[item] = referents(of_item, known[item])
    return found


def format_prompt(template: str, question: str) -> str:
    """Insert a question into the prompt template.

    >>> format_prompt("{question} Answer in one word.", "How many?")
    'How many? Answer in one word.'
    """
    try:
        return template.format(question=question)
    except (KeyError, IndexError, ValueError):
        raise UserError(
            f"prompt template {template!r}: expected no field but {{question}}"
        ) from None


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield consecutive chunks of at most ``size`` values."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
