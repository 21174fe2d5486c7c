"""The tokens of each region, planned once for all addresses with the same token positions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eyechart.readout.items import ReadoutItem
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.token_boxes import OutsideError, region_weights

VIEW, LEFT = 0, 3  # columns of places


@dataclass(frozen=True)
class RegionTokens:
    """A region's tokens: indices in a :class:`Pool`, int (m,), and weights (m,) that sum to 1."""

    tokens: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class TokenPlan:
    """The tokens from which an item is answered."""

    item: ReadoutItem
    # the pool: rows of the source, each with its tokens in one of the item's images
    parts: tuple[tuple[int, np.ndarray], ...]
    shares: dict[str, RegionTokens]  # by region

    @property
    def size(self) -> int:
        """The number of tokens in the pool."""
        return sum(len(tokens) for _, tokens in self.parts)

    def shuffled(self, permutation: np.ndarray) -> dict[str, RegionTokens]:
        """Return the shares after shuffling the pool's tokens over all their positions.

        All images of the item are shuffled together, since the mean and the Gram matrix of a
        complete image do not change when its own tokens are permuted.

        ``permutation``: int, shape (size,).
        """
        return {k: RegionTokens(permutation[s.tokens], s.weights) for k, s in self.shares.items()}


class Pool:
    """The tokens of one plan at one address, without concatenating them."""

    def __init__(self, plan: TokenPlan, rows: Mapping[int, np.ndarray]):
        self.parts = [(rows[row], tokens) for row, tokens in plan.parts]
        self.ends = np.cumsum([len(tokens) for _, tokens in plan.parts])

    def take(self, tokens: np.ndarray) -> np.ndarray:
        """Return the pool's tokens at indices (m,) as float64 (m, d)."""
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


def plan_items(
    source: ActivationSource,
    places: Sequence[np.ndarray],
    items: Iterable[ReadoutItem],
    views: Mapping[str, int],
) -> tuple[list[TokenPlan], list[tuple[ReadoutItem, str]]]:
    """Return plans for the items that can be read, and reasons why the others cannot.

    Parameters
    ----------
    places : sequence of ndarray, float32, shape (t, 7), for each row of the source
    views : mapping of str to int; number of views of each single image. If a prompt has several
        images, their tokens are concatenated and their views numbered consecutively, so this
        assigns views to images
    """
    plans, unreadable = [], []
    for item in items:
        try:
            plans.append(_plan(source, places, item, views))
        except OutsideError as error:
            unreadable.append((item, str(error)))
    return plans, unreadable


def assemble(
    plans: Sequence[TokenPlan], stream: Iterable[tuple[int, np.ndarray]]
) -> Iterator[tuple[TokenPlan, Pool]]:
    """Yield each plan with its tokens as soon as all its rows have been read.

    A row is kept only while a plan that needs it waits for another row.
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


def rows_of(plans: Iterable[TokenPlan]) -> set[int]:
    """Return the rows of a source that plans need."""
    return {row for plan in plans for row, _ in plan.parts}


def _plan(
    source: ActivationSource,
    places: Sequence[np.ndarray],
    item: ReadoutItem,
    views: Mapping[str, int],
) -> TokenPlan:
    parts, tokens_of, start = [], {}, 0
    for image in item.region_images:
        row, own = _find_tokens(source, places, item, image, views)
        own = own[np.isfinite(places[row][own, LEFT])]
        if not len(own):
            raise OutsideError("no token of the image has a position")
        parts.append((row, own))
        tokens_of[image] = start, places[row][own]
        start += len(own)
    shares = {}
    for name, (image, region) in item.regions.items():
        first, there = tokens_of[image]
        try:
            weights = region_weights(there, region)
        except OutsideError as error:
            raise OutsideError(f"{name}: {error}") from None
        used = np.flatnonzero(weights)
        shares[name] = RegionTokens(first + used, weights[used])
    return TokenPlan(item, tuple(parts), shares)


def _find_tokens(
    source: ActivationSource,
    places: Sequence[np.ndarray],
    item: ReadoutItem,
    image: str,
    views: Mapping[str, int],
) -> tuple[int, np.ndarray]:
    """Return the row with an image's tokens, and which of the row's tokens belong to the image."""
    whole = source.scope == "image"
    row = source.rows.get(image if whole else item.item_id)
    if row is None or not (whole or image in item.images):
        raise OutsideError("the model was not shown the image in this way")
    view = places[row][:, VIEW]
    if whole or len(item.images) == 1:
        return row, np.arange(len(view))
    there = int(view.max(initial=-1)) + 1
    if there == len(item.images):  # some models only tile a single image
        return row, np.flatnonzero(view == item.images.index(image))
    if not all(name in views for name in item.images):
        raise OutsideError("the views of the prompt cannot be assigned to its images")
    ends = np.cumsum([views[name] for name in item.images])
    if there != ends[-1]:
        raise OutsideError(f"the prompt has {there} views, its images alone {ends[-1]}")
    end = ends[item.images.index(image)]
    return row, np.flatnonzero((end - views[image] <= view) & (view < end))
