"""Items of vision-centric tasks before they become rows: views, choices and their regions.

Puzzles of all datasets are checked here: every region is on its image, and each choice has
one region, named by its letter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.randomness import seed_for
from eyechart.data.canvas.tasks import OFFICIAL
from eyechart.statistics.components import connected
from eyechart.tables.regions import LETTERS, REF, Region

LISTED = "Select from the following choices."  # start of the list of choices in official prompts


@dataclass(frozen=True)
class PuzzleView:
    """One image of a puzzle."""

    image_id: str  # its id in images.parquet
    source: bytes | Path  # the bytes of an image, or a file in the dataset's folder
    where: str  # location named in error messages
    regions: Sequence[Region] = ()  # in pixels of the image; unknown points and boxes are omitted
    whole: str = ""  # name of the region if the whole image is one; otherwise empty


@dataclass(frozen=True)
class Puzzle:
    """An item of a vision-centric task."""

    where: str  # location at the start of error messages
    # item_id, split, task, type, prompt: as in items.parquet
    item_id: str
    split: str
    task: str
    type: str
    prompt: str
    choices: list[str]  # the n-th is marked on the images with the n-th letter
    answer: str  # one of the choices
    views: list[PuzzleView]  # the images, in order
    ties: list[str]  # keys shared with related items; items that share a key are in one group
    marked: bool = False  # whether points and boxes are already drawn into the images
    placed: bool = True  # whether the regions of the choices are known
    meta: dict[str, Any] = field(default_factory=dict)  # additional metadata

    @property
    def letters(self) -> dict[str, str]:
        """Choices by letter."""
        return dict(zip(LETTERS, self.choices, strict=False))

    def check(self) -> None:
        """Raise a UserError if answer, choices and regions are inconsistent."""
        options = ", ".join(self.choices)
        if len(set(self.choices)) < len(self.choices) or len(self.choices) < 2:
            raise UserError(
                f"{self.where}: choices are {options}; expected two or more, all different"
            )
        if self.answer not in self.choices:
            raise UserError(f"{self.where}: answer is {self.answer!r}, expected one of {options}")
        names = [name for view in self.views for name in _names(view)]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"{self.where}: {name} is marked {names.count(name)} times")
            if name != REF and name not in self.letters:
                raise UserError(
                    f"{self.where}: {name} is marked, but the choices are only "
                    f"{', '.join(self.letters)} ({options})"
                )
        for letter in self.letters if self.placed else ():
            if letter not in names:
                raise UserError(
                    f"{self.where}: choice {letter} ({self.letters[letter]}) is not marked on any "
                    f"image; marked are: {', '.join(names) or 'none'}"
                )

    def marks(self, view: int, size: tuple[int, int]) -> list[Region]:
        """Return a view's regions, including the whole-image region, given the image's size.

        Raise a UserError if a region is not on the image.
        """
        of = self.views[view]
        for region in of.regions:
            region.check(self.where, of.where, size)
        whole = [Region(of.whole, "image", 0.0, 0.0, *map(float, size))] if of.whole else []
        return [*of.regions, *whole]


def _names(view: PuzzleView) -> list[str]:
    return [region.name for region in view.regions] + ([view.whole] if view.whole else [])


def choose(keys: Iterable[str], most: int | None, *seeds: str | int) -> list[str]:
    """Return a seeded sample of at most ``most`` keys, in order; smaller samples are nested."""
    names = list(keys)
    if most is None or most >= len(names):
        return names
    kept = set(sorted(names, key=lambda key: seed_for("most", *seeds, key))[:most])
    return [name for name in names if name in kept]


def apply_wording(text: str, official: str, **words: str) -> str:
    """Return the dataset's own question for the official wording, or the filled-in template."""
    return official if text == OFFICIAL else text.format(**words)


def question_of(prompt: str) -> str:
    r"""Return a prompt without the list of choices at its end.

    >>> question_of("Which is nearer? Select from the following choices.\n(A) cup\n(B) bed")
    'Which is nearer?'
    """
    return prompt.rsplit(LISTED, 1)[0].strip()


def letter_of(answer: Any, choices: list[str], where: str) -> str:
    """Return the choice denoted by an answer such as ``(A)``.

    Raise a UserError if it has another form, e.g. ``hidden``, or if there is no such choice.
    """
    for letter, choice in zip(LETTERS, choices, strict=False):
        if answer == f"({letter})":
            return choice
    last = LETTERS[max(len(choices) - 1, 0)]
    raise UserError(
        f"{where}: answer is {answer!r}, expected (A) to ({last}) for the choices "
        f"{', '.join(choices) or 'none'}"
    )


def group_by_ties(groups: Sequence[Sequence[str]]) -> list[str]:
    """Return a group name per row of ties: the smallest tie of its connected component.

    >>> group_by_ties([["b"], ["a", "c"], ["c", "b"], ["d"]])
    ['a', 'a', 'a', 'd']
    """
    component = connected(groups).tolist()
    least: dict[int, str] = {}
    for number, ties in zip(component, groups, strict=True):
        least[number] = min(*ties, least.get(number, ties[0]))
    return [least[number] for number in component]
