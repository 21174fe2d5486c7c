"""What one attempt at a BLINK item has, and what comes of it: views, marks, the right letter."""

import math
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eyechart.core import randomness
from eyechart.rendering.balance import LETTERS, case_of
from eyechart.rendering.datasets.blink.marks import mark
from eyechart.rendering.mesh_renderer import Booth, Survey
from eyechart.rendering.points import NoSpotError, Spot
from eyechart.rendering.scene.objects import Scene

Name = tuple[str | int, ...]  # seed, dataset, split, sub-task, number: what seeds an item
Settings = dict[str, Any]


@dataclass(frozen=True)
class RenderedView:
    """One view: its picture as drawn (uint8 (h, w, 3)) and what its pixels show."""

    rgb: np.ndarray
    survey: Survey


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes
    ----------
    shots : its views, unmarked
    points : per view, name of a mark -> x and y in pixels
    answer : the right letter
    facts : what it was drawn from, as JSON has it
    """

    shots: list[RenderedView]
    points: list[dict[str, Spot]]
    answer: str
    facts: dict[str, Any] = field(default_factory=dict)

    def pictures(self) -> list[np.ndarray]:
        """Give the pictures with their marks."""
        shown = zip(self.shots, self.points, strict=True)
        return [mark(shot.rgb, points) if points else shot.rgb for shot, points in shown]


@dataclass(frozen=True)
class Try:
    """One attempt at an item: its chance, its look, and the right letter, which is given."""

    rng: random.Random
    settings: Settings
    answer: str
    number: int
    name: Name

    def booth(self, scene: Scene) -> Booth:
        """Load a scene."""
        return Booth(scene, self.settings["image_px"])

    def shot(self, booth: Booth, survey: Survey, view: int) -> RenderedView:
        """Draw the picture of a survey.

        Raises
        ------
        NoSpotError
            If a lamp stands in it.
        """
        if survey.shows_lamp:
            raise NoSpotError
        seed = randomness.seed_for("render", *self.name, view)
        samples = self.settings["samples_per_pixel"]
        return RenderedView(booth.picture(survey.camera, samples, seed), survey)

    def place_tells(self, ref: Spot, spots: list[Spot]) -> bool:
        """Tell whether the first point, the right one, is as near to the REF's place as is due.

        It is the nearest of all in every fourth item, as often as by chance: to answer by the
        place in the picture alone is to guess.
        """
        due = case_of((True, False, False, False), self.number, "place", *self.name[:4])
        away = [math.dist(ref, spot) for spot in spots]
        return (away[0] == min(away)) == due

    def lettered(self, right: Any, wrong: list[Any]) -> dict[str, Any]:
        """Give the right one its letter, and the wrong ones the others in the order given."""
        letters = LETTERS[: len(wrong) + 1].replace(self.answer, "")
        named = dict(zip(letters, wrong, strict=True)) | {self.answer: right}
        return {letter: named[letter] for letter in sorted(named)}
