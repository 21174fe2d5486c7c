"""Which tokens stand for which region: planned once per stage, used at all of its addresses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eyechart.inference.token_sampling import weights_in_box
from eyechart.readout.items import ReadoutItem
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.regions import Region
from eyechart.tables.token_boxes import OutsideError, weights_at_point

VIEW, LEFT = 0, 3  # columns of places


@dataclass(frozen=True)
class Share:
    """The tokens of a region: places in a :class:`Pool`, int (m,), and weights, (m,), of sum 1."""

    tokens: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class ReadoutPlan:
    """How one reading is read.

    Attributes
    ----------
    reading : ReadoutItem
    parts : tuple of (int, ndarray of int)
        The pool: rows of the source, and which tokens of each lie in one of the item's pictures.
    shares : dict of Share
        By region.
    """

    reading: ReadoutItem
    parts: tuple[tuple[int, np.ndarray], ...]
    shares: dict[str, Share]

    @property
    def size(self) -> int:
        """Return the number of tokens in the pool."""
        return sum(len(tokens) for _, tokens in self.parts)

    def dealt(self, deal: np.ndarray) -> dict[str, Share]:
        """Return the shares after the pool's tokens were dealt out anew among all their places.

        All pictures of the item are shuffled together, since a mean or a Gram matrix of a whole
        picture does not change when the tokens within that picture change places.

        Parameters
        ----------
        deal : ndarray of int, shape (size,)
            A permutation.
        """
        return {k: Share(deal[s.tokens], s.weights) for k, s in self.shares.items()}


class Pool:
    """The tokens of one plan at one address, taken without being copied together."""

    def __init__(self, plan: ReadoutPlan, rows: Mapping[int, np.ndarray]):
        self.parts = [(rows[row], tokens) for row, tokens in plan.parts]
        self.ends = np.cumsum([len(tokens) for _, tokens in plan.parts])

    def take(self, tokens: np.ndarray) -> np.ndarray:
        """Return tokens (m,) of the pool as float64, (m, d)."""
        if len(self.parts) == 1:
            values, own = self.parts[0]
            return np.asarray(values[own[tokens]], dtype=np.float64)
        part = np.searchsorted(self.ends, tokens, side="right")
        found = np.empty((len(tokens), self.parts[0][0].shape[1]))
        start = 0
        for number, (values, own) in enumerate(self.parts):
            here = part == number
            found[here] = values[own[tokens[here] - start]]
            start = int(self.ends[number])
        return found


def plan_readings(
    source: ActivationSource,
    places: Sequence[np.ndarray],
    readings: Iterable[ReadoutItem],
    views: Mapping[str, int],
) -> tuple[list[ReadoutPlan], list[tuple[ReadoutItem, str]]]:
    """Return the plans of what can be read, and of what cannot, why.

    Parameters
    ----------
    source : ActivationSource
    places : sequence of ndarray, float32, shape (t, 7)
        Of each row of the source, at one stage.
    readings : iterable of ReadoutItem
    views : mapping of str to int
        How many views each picture has by itself. Where several pictures stand in one prompt, their
        tokens stand one picture after another and their views are counted on: so this tells which
        are whose.
    """
    plans, unread = [], []
    for reading in readings:
        try:
            plans.append(_plan(source, places, reading, views))
        except OutsideError as error:
            unread.append((reading, str(error)))
    return plans, unread


def gather(
    plans: Sequence[ReadoutPlan], stream: Iterable[tuple[int, np.ndarray]]
) -> Iterator[tuple[ReadoutPlan, Pool]]:
    """Yield each plan with its tokens as soon as all rows of it have come.

    A row is held only as long as a plan that needs it waits for another.
    """
    needed: dict[int, list[int]] = {}
    missing = [{row for row, _ in plan.parts} for plan in plans]
    for number, rows in enumerate(missing):
        for row in rows:
            needed.setdefault(row, []).append(number)
    uses = {row: len(numbers) for row, numbers in needed.items()}
    held: dict[int, np.ndarray] = {}
    for row, tokens in stream:
        held[row] = tokens
        for number in needed[row]:
            missing[number].discard(row)
            if not missing[number]:
                plan = plans[number]
                yield plan, Pool(plan, held)
                for used in {used for used, _ in plan.parts}:
                    uses[used] -= 1
                    if not uses[used]:
                        del held[used]


def rows_of(plans: Iterable[ReadoutPlan]) -> set[int]:
    """Return the rows of a source that plans need."""
    return {row for plan in plans for row, _ in plan.parts}


def _plan(
    source: ActivationSource,
    places: Sequence[np.ndarray],
    reading: ReadoutItem,
    views: Mapping[str, int],
) -> ReadoutPlan:
    parts, of_picture, start = [], {}, 0
    for picture in reading.pictures:
        row, own = _find(source, places, reading, picture, views)
        own = own[np.isfinite(places[row][own, LEFT])]
        if not len(own):
            raise OutsideError("none of the picture's tokens lies anywhere")
        parts.append((row, own))
        of_picture[picture] = start, places[row][own]
        start += len(own)
    shares = {}
    for name, (image, region) in reading.regions.items():
        first, there = of_picture[image]
        try:
            weights = weigh(there, region)
        except OutsideError as error:
            raise OutsideError(f"{name}: {error}") from None
        used = np.flatnonzero(weights)
        shares[name] = Share(first + used, weights[used])
    return ReadoutPlan(reading, tuple(parts), shares)


def weigh(places: np.ndarray, region: Region) -> np.ndarray:
    """Return the weight of each token (t,) in a region: bilinear at a point, by area in a box."""
    edges = (region.left, region.top, region.right, region.bottom)
    if (region.left, region.top) == (region.right, region.bottom):
        return weights_at_point(places, *edges[:2])
    return weights_in_box(places, *edges)


def _find(
    source: ActivationSource,
    places: Sequence[np.ndarray],
    reading: ReadoutItem,
    picture: str,
    views: Mapping[str, int],
) -> tuple[int, np.ndarray]:
    """Return the row of a picture's tokens, and which of the row's tokens are of that picture."""
    whole = source.scope == "image"
    row = source.rows.get(picture if whole else reading.item_id)
    if row is None or not (whole or picture in reading.images):
        raise OutsideError("the model was not shown the picture in this way")
    view = places[row][:, VIEW]
    if whole or len(reading.images) == 1:
        return row, np.arange(len(view))
    there = int(view.max(initial=-1)) + 1
    if there == len(reading.images):  # some models cut pictures into tiles only if there is but one
        return row, np.flatnonzero(view == reading.images.index(picture))
    if not all(image in views for image in reading.images):
        raise OutsideError("nothing says which of the prompt's views are of which picture")
    ends = np.cumsum([views[image] for image in reading.images])
    if there != ends[-1]:
        raise OutsideError(f"the prompt has {there} views, its pictures by themselves {ends[-1]}")
    end = ends[reading.images.index(picture)]
    return row, np.flatnonzero((end - views[picture] <= view) & (view < end))
