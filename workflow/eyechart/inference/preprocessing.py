"""Decode images and tokenize prompts on the CPU, in a thread that runs ahead of the model."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Condition
from typing import TypeVar

from PIL import Image

from eyechart.core.threads import thread_pool
from eyechart.data.open_image import open_image
from eyechart.inference.failures import Failures
from eyechart.inference.region_weights import RowWeights, Weigher
from eyechart.inference.token_positions import Locator, Placed
from eyechart.inference.workload import ExtractionPart, ItemPrompt
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.usable import UnusableError, usable

BLANK_PROMPT = "?"  # for an image without a question; the prefix does not depend on the question
ROOM = 1 << 28  # bytes of prepared batches that wait for the model
DECODED = 1 << 26  # bytes of decoded images that wait for the processor

A = TypeVar("A")
B = TypeVar("B")
K = TypeVar("K")


@dataclass(frozen=True)
class Prompt:
    """A prompt about images; ``number`` is its question's row, or None without a question."""

    image_ids: tuple[str, ...]
    images: tuple[PreparedImage, ...]
    row: Row
    number: int | None
    places: Placed = field(default_factory=dict)
    regions: RowWeights = field(default_factory=RowWeights)


@dataclass(frozen=True)
class PreparedBatch:
    """Images to encode together, and the prompts that can be read afterwards.

    ``lost_images`` and ``lost_items`` are the rows found to be unusable.
    """

    image_ids: Sequence[str]
    images: list[PreparedImage]
    prompts: list[Prompt]
    places: list[Placed]
    regions: list[RowWeights]
    lost_images: list[str]
    lost_items: list[int]


class Preparer:
    """Prepares the batches of a part, in order.

    Parameters
    ----------
    alone : whether the language model reads every image of the part, even images without a question
    asked : whether the part's questions are read
    of_image, of_item : objects that locate the tokens of an image, and of a question's images
    in_image, in_item : objects that weigh the tokens of an image, and of a prompt's images, in
        items' regions
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
        in_image: Weigher,
        in_item: Weigher,
    ) -> None:
        self.adapter, self.part, self.batches = adapter, part, batches
        self.of_image, self.of_item = of_image, of_item
        self.in_image, self.in_item = in_image, in_item
        self.about: dict[str, list[ItemPrompt]] = {}  # questions with regions, by their image
        for question in part.questions:
            for image in dict.fromkeys(image for image, _ in question.regions.values()):
                self.about.setdefault(image, []).append(question)
        self.alone = set(part.images) if alone else set()
        self.due = part.due(batches) if asked else [{} for _ in batches]
        self.last_use = {i: b for b, due in enumerate(self.due) for images in due for i in images}
        self.prepared: dict[str, PreparedImage] = {}  # images that later prompts need
        self.images = Failures("images", len(part.order()))
        self.items = Failures("items", len(part.items))
        self.lost: dict[int, str] = {}  # rows of items that are left out, and why
        if isinstance(adapter, LanguageAdapter):
            own = [(q.prompt, len(q.images)) for q in part.questions if asked]
            adapter.write_ahead([*own, *([(BLANK_PROMPT, 1)] if alone else [])])

    def __call__(self, number: int) -> PreparedBatch:
        """Prepare batch ``number``; batches must come in order."""
        before = set(self.lost)
        found = self._images(self.batches[number])
        image_ids, images = list(found), list(found.values())
        self.prepared |= found
        blank = {(i,): ItemPrompt(None, (i,), BLANK_PROMPT) for i in image_ids if i in self.alone}
        prompts: list[Prompt] = []
        for asked in dict.fromkeys([*blank, *self.due[number]]):
            group = self.due[number].get(asked, [])
            made = [prompt for q in group if (prompt := self.unless_lost(q)) is not None]
            if not made and asked in blank:  # the image is still read
                made = [self.prompt(blank[asked])]
            prompts += made
        self.prepared = {
            i: p for i, p in self.prepared.items() if self.last_use.get(i, -1) > number
        }
        places = [self.of_image.locate([p.size]) for p in images]
        shown = zip(image_ids, images, strict=True)
        regions = [self.in_image.weigh(self.about.get(i, ()), [(i, p.size)]) for i, p in shown]
        lost = [i for i in self.batches[number] if i not in found], sorted(set(self.lost) - before)
        return PreparedBatch(image_ids, images, prompts, places, regions, *lost)

    def _images(self, ids: Sequence[str]) -> dict[str, PreparedImage]:
        """Return the preprocessed images; leave out unusable ones and their items."""
        opened = ((image_id, open_image(self.part.paths[image_id])) for image_id in ids)
        found, unusable = prepare_images(self.adapter, opened)
        for image_id, error in unusable.items():
            self.images.add(image_id, error)
            shown = (q.row for q in self.part.questions if image_id in q.images)
            self.lost |= {row: str(error) for row in shown if row is not None}
        return found

    def unless_lost(self, question: ItemPrompt) -> Prompt | None:
        """Return the prompt of an item; None if it, or one of its images, is unusable."""
        assert question.row is not None
        if question.row in self.lost:
            return None
        name = self.part.items[question.row]
        try:
            with usable(f"item {name!r}", self.adapter.spec.checkpoint):
                return self.prompt(question)
        except UnusableError as error:
            self.items.add(name, error)
            self.lost[question.row] = str(error)
            return None

    def prompt(self, question: ItemPrompt) -> Prompt:
        """Tokenize a question; its images must have been prepared."""
        assert isinstance(self.adapter, LanguageAdapter)
        images = tuple(self.prepared[i] for i in question.images)
        row = self.adapter.row(self.adapter.as_text(question.prompt), images)
        located = images if question.row is not None else ()
        places = self.of_item.locate([p.size for p in located]) if located else {}
        shown = list(zip(question.images, (p.size for p in images), strict=True))
        regions = self.in_item.weigh([question], shown)
        return Prompt(question.images, images, row, question.row, places, regions)


def prepare_images(
    adapter: Adapter, images: Iterable[tuple[K, Image.Image]]
) -> tuple[dict[K, PreparedImage], dict[K, UnusableError]]:
    """Preprocess images in small batches; return them, and the reasons why others are unusable."""
    found: dict[K, PreparedImage] = {}
    unusable: dict[K, UnusableError] = {}

    def prepare(few: Sequence[tuple[K, Image.Image]]) -> None:
        name = f"image {few[0][0]!r}" if isinstance(few[0][0], str) else str(few[0][0])
        try:
            with usable(name, adapter.spec.checkpoint):
                made = adapter.prepare_images([image for _, image in few])
        except UnusableError as error:
            if len(few) == 1:
                unusable[few[0][0]] = error
            for one in few if len(few) > 1 else ():
                prepare([one])
            return
        pairs = zip(few, made, strict=True)
        found.update({key: replace(one, size=image.size) for (key, image), one in pairs})

    waiting: list[tuple[K, Image.Image]] = []
    for key, image in images:
        waiting.append((key, image))
        if sum(3 * i.width * i.height for _, i in waiting) >= DECODED:
            prepare(waiting)
            waiting = []
    if waiting:
        prepare(waiting)
    return found, unusable


def held(images: Iterable[PreparedImage]) -> int:
    """Return the size of prepared images in bytes."""
    return sum(value.nbytes for image in images for value in image.inputs.values())


def ahead(
    work: Callable[[A], B], values: Sequence[A], size: Callable[[B], int], room: int = ROOM
) -> Iterator[B]:
    """Yield ``work(value)`` in order, computed in one thread ahead of the consumer.

    The thread waits while unconsumed results take ``room`` bytes or more, so memory is bounded by
    ``room`` and one more result. ``size`` returns a result's size in bytes.
    """
    turn, ready = Condition(), deque[B]()
    left = False

    def fill() -> None:
        for value in values:
            with turn:
                turn.wait_for(lambda: left or sum(map(size, ready)) < room)
                if left:
                    return
            made = work(value)
            with turn:
                ready.append(made)
                turn.notify_all()

    with thread_pool(1, "prepare") as pool:
        filling = pool.submit(fill)
        filling.add_done_callback(lambda _: _wake(turn))
        try:
            for _ in values:
                with turn:
                    turn.wait_for(lambda: ready or filling.done())
                    if not ready:
                        filling.result()  # raises the error that ended the thread
                    made = ready.popleft()
                    turn.notify_all()
                yield made
        finally:
            left = True
            _wake(turn)


def _wake(turn: Condition) -> None:
    with turn:
        turn.notify_all()
