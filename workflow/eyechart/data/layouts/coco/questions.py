"""Create the questions about a COCO image: presence, position, counting, caption.

Source of presence: Li et al., "Evaluating Object Hallucination in Large Vision-Language Models"
(POPE, EMNLP 2023): absent categories are sampled at random, by frequency, and by co-occurrence with
the categories present.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import numpy as np

from eyechart.core.randomness import dice
from eyechart.data.layouts.coco import tasks
from eyechart.data.layouts.coco.annotations import Annotations
from eyechart.data.preparation import Row

YES_NO = ["yes", "no"]


def count(images: Iterable[Collection[int]], k: int) -> np.ndarray:
    """Return the number of images in which two of k categories co-occur, int64 of shape (k, k).

    Each image is given as its categories, 0 to k - 1; the diagonal has the count of each category.
    """
    listed = [sorted(present) for present in images]
    occurs = np.zeros((len(listed), k), np.float32)  # (n, k); exact: counts stay below 2^24
    for row, present in zip(occurs, listed, strict=True):
        row[present] = 1
    return (occurs.T @ occurs).astype(np.int64)


def draw(
    present: Collection[int], most: int, together: np.ndarray, dice: Random
) -> tuple[list[int], dict[str, list[int]]]:
    """Draw the categories for the questions about one image.

    Return present categories and, for each sampling, equally many absent ones: ``random`` are drawn
    uniformly, ``popular`` are the most frequent, and ``adversarial`` co-occur most often with the
    image's categories. Ties are broken in favour of the first category.

    Parameters
    ----------
    present : categories present in the image
    most : maximum number of questions per answer and sampling; fewer if the image has or lacks
        fewer
    together : counts over all images of the split, see :func:`count`
    dice : random generator of this image
    """
    has = sorted(present)
    absent = [c for c in range(len(together)) if c not in present]
    n = min(most, len(has), len(absent))
    beside = together[has].sum(axis=0)  # (k,)
    return dice.sample(has, n), {
        "random": dice.sample(absent, n),
        "popular": _top(absent, together.diagonal(), n),
        "adversarial": _top(absent, beside, n),
    }


def _top(categories: list[int], score: np.ndarray, n: int) -> list[int]:
    return sorted(categories, key=lambda c: (-int(score[c]), c))[:n]


@dataclass(frozen=True)
class Questions:
    """Questions about the images of one split; the draws of each image are independent."""

    seeds: tuple[str | int, ...]  # seeds of every draw: dataset, seed, split
    annotations: Annotations  # all images of the split, sampled or not, for category frequencies
    # ``presence``, ``position`` and ``counting`` (maximum number of categories per image),
    # ``position_margin``, ``most_count``, ``wording``
    settings: dict[str, Any]

    def about(self, image: int) -> list[Row]:
        """Return the items of an image, without the fields shared with it.

        ``item_id`` is a suffix composed of task, form and category, so it does not depend on other
        questions.
        """
        drawn = (self._presence, self._position, self._counting, self._caption)
        return [item for ask in drawn for item in ask(image)]

    def answers(self, image: int) -> dict[str, str | None]:
        """Return an image's answers to the presence and counting questions, by prompt."""
        present, counts = self._present(image), self._counts(image)
        found: dict[str, str | None] = {}
        for category, prompts in enumerate(self._prompts):
            there = category in present
            found[prompts["presence"]] = YES_NO[not there]
            found[prompts["counting"]] = str(counts.get(category, "")) or None if there else "0"
        return found

    @cached_property
    def _prompts(self) -> list[dict[str, str]]:
        """The questions about each category that need no further fields."""
        wording = {task: self.settings["wording"][task] for task in ("presence", "counting")}
        names = self.annotations.categories
        return [{task: tasks.word(w, name, "") for task, w in wording.items()} for name in names]

    @cached_property
    def _together(self) -> np.ndarray:
        images = [self._present(image) for image in self.annotations.images]
        return count(images, len(self.annotations.categories))

    def _present(self, image: int) -> set[int]:
        return {thing["category"] for thing in self.annotations.objects[image]}

    def _countable(self, image: int) -> dict[int, list[Row]]:
        """Return an image's objects by category, without categories annotated as a crowd."""
        found: dict[int, list[Row]] = {}
        for thing in self.annotations.objects[image]:
            found.setdefault(thing["category"], []).append(thing)
        whole = {c: all(not t["iscrowd"] for t in things) for c, things in found.items()}
        return {category: found[category] for category in sorted(found) if whole[category]}

    def _counts(self, image: int) -> dict[int, int]:
        """Return the number of objects of each category that can be counted in an image."""
        counts = {c: len(t) for c, t in self._countable(image).items()}
        return {c: n for c, n in counts.items() if n <= self.settings["most_count"]}

    def _draw(self, task: str, image: int, candidates: list[Any]) -> list[Any]:
        most = min(self.settings[task], len(candidates))
        return dice("coco", task, *self.seeds, image).sample(candidates, most)

    def _presence(self, image: int) -> Iterator[Row]:
        """Yield questions about present and equally many absent categories, for each sampling."""
        own = dice("coco", "presence", *self.seeds, image)
        present, absent = draw(self._present(image), self.settings["presence"], self._together, own)
        for sampling in tasks.SAMPLINGS:
            for answer, categories in zip(YES_NO, (present, absent[sampling]), strict=True):
                for category in categories:
                    meta = {"sampling": sampling}
                    yield self._item("presence", category, YES_NO, answer, meta)

    def _position(self, image: int) -> Iterator[Row]:
        """Yield questions about the side of single off-centre objects, and the opposite side."""
        row, margin = self.annotations.images[image], self.settings["position_margin"]
        size = (row["width"], row["height"])
        alone = {c: t[0] for c, t in self._countable(image).items() if len(t) == 1}
        placed = {c: tasks.sides(thing["bbox"], size, margin) for c, thing in alone.items()}
        for category in self._draw("position", image, [c for c in placed if placed[c]]):
            for pair in placed[category]:
                for answer, side in zip(YES_NO, pair, strict=True):
                    yield self._item("position", category, YES_NO, answer, {"side": side})

    def _counting(self, image: int) -> Iterator[Row]:
        """Yield counting questions about present and sometimes absent categories."""
        most, counts = self.settings["most_count"], self._counts(image)
        drawn = self._draw("counting", image, list(counts))
        present = self._present(image)
        absent = [c for c in range(len(self.annotations.categories)) if c not in present]
        own = dice("coco", "counting none", *self.seeds, image)
        # makes "0" as frequent as one of most + 1 equally likely answers
        none = [own.choice(absent) for _ in drawn if absent and own.random() < 1 / most]
        choices = [str(number) for number in range(most + 1)]
        for category in dict.fromkeys([*drawn, *none]):
            yield self._item("counting", category, choices, str(counts.get(category, 0)), {})

    def _caption(self, image: int) -> Iterator[Row]:
        if references := self.annotations.captions[image]:
            yield self._item("caption", None, [], references[0], {"references": references})

    def _item(
        self, task: str, category: int | None, choices: list[str], answer: str, meta: Row
    ) -> Row:
        name = "" if category is None else self.annotations.categories[category]
        form = meta.get("sampling") or meta.get("side") or ""
        prompt = tasks.word(self.settings["wording"][task], name, form)
        return {
            "item_id": "_".join(part for part in (task, form, tasks.slug(name)) if part),
            "prompt": prompt,
            "choices": choices,
            "answer": answer,
            "task": f"{task}_{form}" if "sampling" in meta else task,
            "type": prompt,
            "meta": json.dumps(meta | ({"category": name} if name else {}), ensure_ascii=False),
        }
