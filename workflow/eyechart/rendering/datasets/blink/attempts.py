"""One attempt at drawing a BLINK item, and its result: views, marks, the correct letter."""

import math
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eyechart.core import randomness
from eyechart.rendering.balance import LETTERS, case_of
from eyechart.rendering.datasets.blink.marks import mark
from eyechart.rendering.mesh_renderer import MeshRenderer, ViewGeometry
from eyechart.rendering.points import NoSpotError, Spot
from eyechart.rendering.scene.objects import Scene

Name = tuple[str | int, ...]  # seeds of an item: seed, dataset, split, sub-task, number
Settings = dict[str, Any]


@dataclass(frozen=True)
class RenderedView:
    """One view: its unmarked image (uint8 (h, w, 3)) and the ground truth of its pixels."""

    rgb: np.ndarray
    geometry: ViewGeometry


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes
    ----------
    views : the unmarked views
    points : per view, mark name -> x and y in pixels
    answer : the correct letter
    facts : JSON-compatible parameters of the drawing
    """

    views: list[RenderedView]
    points: list[dict[str, Spot]]
    answer: str
    facts: dict[str, Any] = field(default_factory=dict)

    def marked_images(self) -> list[np.ndarray]:
        """Return the images with their marks."""
        shown = zip(self.views, self.points, strict=True)
        return [mark(view.rgb, points) if points else view.rgb for view, points in shown]


@dataclass(frozen=True)
class Attempt:
    """One attempt at an item: its random generator, its settings, and the given correct letter."""

    rng: random.Random
    settings: Settings
    answer: str
    number: int
    name: Name

    def renderer(self, scene: Scene) -> MeshRenderer:
        """Load a scene."""
        return MeshRenderer(scene, self.settings["image_px"])

    def render_view(
        self, renderer: MeshRenderer, geometry: ViewGeometry, view: int
    ) -> RenderedView:
        """Render the image of a traced view.

        Raises
        ------
        NoSpotError
            If a lamp is visible in it.
        """
        if geometry.shows_lamp:
            raise NoSpotError
        seed = randomness.seed_for("render", *self.name, view)
        samples = self.settings["samples_per_pixel"]
        return RenderedView(renderer.render(geometry.camera, samples, seed), geometry)

    def position_cue_fits(self, ref: Spot, spots: list[Spot]) -> bool:
        """Return whether the position of the first (correct) point is as informative as required.

        It is the closest of all in every fourth item, as often as by chance, so that answering by
        position in the image alone is guessing.
        """
        due = case_of((True, False, False, False), self.number, "place", *self.name[:4])
        away = [math.dist(ref, spot) for spot in spots]
        return (away[0] == min(away)) == due

    def assign_letters(self, right: Any, wrong: list[Any]) -> dict[str, Any]:
        """Assign the correct letter to ``right`` and the other letters to ``wrong``, in order."""
        letters = LETTERS[: len(wrong) + 1].replace(self.answer, "")
        named = dict(zip(letters, wrong, strict=True)) | {self.answer: right}
        return {letter: named[letter] for letter in sorted(named)}
