"""Work on the CPU that goes ahead of the model in a thread: pictures decoded, prompts as tokens."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from eyechart.data.open_image import open_image
from eyechart.inference.token_positions import Locator, Placed
from eyechart.inference.workload import ExtractionPart, ItemPrompt
from eyechart.models.families.base import Adapter, PreparedImage
from eyechart.models.families.language import LanguageAdapter, Row

BLANK_PROMPT = "?"  # where a picture has no question: what stands before a question is the same

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Prompt:
    """A prompt about some pictures; ``number`` of its question's row, None if it has none."""

    images: tuple[str, ...]
    pictures: tuple[PreparedImage, ...]
    row: Row
    number: int | None
    places: Placed = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedBatch:
    """Pictures to look at together, and the prompts that can be read once they were."""

    images: Sequence[str]
    pictures: list[PreparedImage]
    prompts: list[Prompt]
    places: list[Placed]


class Preparer:
    """Gives a part's batches in order.

    Parameters
    ----------
    alone : bool
        Whether every own picture is to be read by the language model, asked about or not.
    asked : bool
        Whether the part's questions are to be read.
    of_image, of_item : Locator
        Say where the tokens of a picture lie, and of a question's pictures.
    """

    def __init__(
        self,
        adapter: Adapter,
        part: ExtractionPart,
        batches: Sequence[Sequence[str]],
        *,
        alone: bool,
        asked: bool,
        of_image: Locator,
        of_item: Locator,
    ) -> None:
        self.adapter, self.part, self.batches = adapter, part, batches
        self.of_image, self.of_item = of_image, of_item
        self.alone = set(part.images) if alone else set()
        self.due = part.due(batches) if asked else [{} for _ in batches]
        self.last_use = {i: b for b, due in enumerate(self.due) for images in due for i in images}
        self.shown: dict[str, PreparedImage] = {}  # pictures that prompts to come may be about

    def __call__(self, number: int) -> PreparedBatch:
        """Prepare batch ``number``; batches must come in order."""
        images = self.batches[number]
        pictures = [self.picture(i) for i in images]
        self.shown.update(zip(images, pictures, strict=True))
        asked: dict[tuple[str, ...], list[ItemPrompt]] = {
            (i,): [ItemPrompt(None, (i,), BLANK_PROMPT)] for i in images if i in self.alone
        }
        asked |= self.due[number]
        prompts = [self.prompt(q) for group in asked.values() for q in group]
        self.shown = {i: p for i, p in self.shown.items() if self.last_use.get(i, -1) > number}
        return PreparedBatch(
            images, pictures, prompts, [self.of_image.locate([p.size]) for p in pictures]
        )

    def picture(self, image: str) -> PreparedImage:
        """Open and prepare one picture."""
        pixels = open_image(self.part.paths[image])
        return replace(self.adapter.picture(pixels), size=pixels.size)

    def prompt(self, question: ItemPrompt) -> Prompt:
        """Give a question's token ids; its pictures must have been prepared."""
        assert isinstance(self.adapter, LanguageAdapter)
        pictures = tuple(self.shown[image] for image in question.images)
        row = self.adapter.row(question.prompt, pictures)
        asked = pictures if question.row is not None else ()
        places = self.of_item.locate([p.size for p in asked]) if asked else {}
        return Prompt(question.images, pictures, row, question.row, places)


def ahead(work: Callable[[A], B], values: Sequence[A], depth: int) -> Iterator[B]:
    """Give ``work(value)`` in order, computed in one thread up to ``depth`` values ahead."""
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for value in values:
                waiting.append(pool.submit(work, value))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
