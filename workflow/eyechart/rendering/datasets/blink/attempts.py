"""One attempt at drawing a BLINK item, and its result: views, marks, the correct letter."""

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

Name = tuple[str | int, ...]  # seeds of an item: seed, dataset, split, sub-task, number
Settings = dict[str, Any]


@dataclass(frozen=True)
class RenderedView:
    """One view: its unmarked image (uint8 (h, w, 3)) and the ground truth of its pixels."""

    rgb: np.ndarray
    survey: Survey


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes
    ----------
    shots : the unmarked views
    points : per view, mark name -> x and y in pixels
    answer : the correct letter
    facts : JSON-compatible parameters of the drawing
    """

    shots: list[RenderedView]
    points: list[dict[str, Spot]]
    answer: str
    facts: dict[str, Any] = field(default_factory=dict)

    def pictures(self) -> list[np.ndarray]:
        """Return the images with their marks."""
        shown = zip(self.shots, self.points, strict=True)
        return [mark(shot.rgb, points) if points else shot.rgb for shot, points in shown]


@dataclass(frozen=True)
class Try:
    """One attempt at an item: its random generator, its settings, and the given correct letter."""

    rng: random.Random
    settings: Settings
    answer: str
    number: int
    name: Name

    def booth(self, scene: Scene) -> Booth:
        """Load a scene."""
        return Booth(scene, self.settings["image_px"])

    def shot(self, booth: Booth, survey: Survey, view: int) -> RenderedView:
        """Render the image of a survey.

        Raises
        ------
        NoSpotError
            If a lamp is visible in it.
        """
        if survey.shows_lamp:
            raise NoSpotError
        seed = randomness.seed_for("render", *self.name, view)
        samples = self.settings["samples_per_pixel"]
        return RenderedView(booth.picture(survey.camera, samples, seed), survey)

    def place_tells(self, ref: Spot, spots: list[Spot]) -> bool:
        """Return whether the position of the first (correct) point is as informative as required.

        It is the closest of all in every fourth item, as often as by chance, so that answering by
        position in the image alone is guessing.
        """
        due = case_of((True, False, False, False), self.number, "place", *self.name[:4])
        away = [math.dist(ref, spot) for spot in spots]
        return (away[0] == min(away)) == due

    def lettered(self, right: Any, wrong: list[Any]) -> dict[str, Any]:
        """Assign the correct letter to ``right`` and the other letters to ``wrong``, in order."""
        letters = LETTERS[: len(wrong) + 1].replace(self.answer, "")
        named = dict(zip(letters, wrong, strict=True)) | {self.answer: right}
        return {letter: named[letter] for letter in sorted(named)}
