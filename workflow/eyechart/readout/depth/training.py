"""Train depth heads on the rows of a source, and measure their errors on held-out rows."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.readout.depth.linear import LinearHead, ProductSums, choose
from eyechart.readout.depth.rows import DepthRows
from eyechart.readout.depth.targets import DepthImage, mean_depths, read_depths
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.readouts import DEPTH_DPT, DEPTH_LINEAR

DELTA = 1.25  # a depth within this ratio of the truth counts as correct

Seed = tuple[str, str, int]  # model, dataset, seed
Row = dict[str, Any]


def train_linear(
    source: ActivationSource, address: str, known: DepthRows, settings: dict[str, Any], seed: Seed
) -> tuple[LinearHead, Row]:
    """Train the linear head of an address.

    Result: the head, and its row of errors on the tokens of held-out images: ``abs_rel`` (mean of
    |predicted - true| / true) and ``delta_1`` (share within a ratio of 1.25), and the same for a
    constant, the mean depth, as ``constant_abs_rel`` and ``constant_delta_1``.

    ``settings``: ridge ``strengths`` to choose from, number of ``folds``, and maximum number of
    ``tokens`` per training image.
    """
    depths = known.depths[source.places_name(address)]
    fold = folds(known.train.values(), settings["folds"], seed)
    sums: list[ProductSums] = []
    for row, (tokens,) in source.stream([address], known.train.keys()):
        picks = np.flatnonzero(np.isfinite(depths[row]))
        if len(picks) > settings["tokens"]:
            draw = generator("depth tokens", *seed, known.train[row].image_id)
            picks = np.sort(draw.permutation(picks)[: settings["tokens"]])
        if not len(picks):
            continue
        if not sums:
            origin = tokens[picks].mean(0, dtype=np.float64)
            sums = [ProductSums(origin) for _ in range(max(fold.values()) + 1)]
        sums[fold[known.train[row].group]].add(tokens[picks], depths[row][picks].astype(float))
    sums = [one for one in sums if one.n]
    if len(sums) < 2:
        raise UserError(f"{source.path}: {address}: fewer than two groups with a known depth")
    head, strength = choose(sums, settings["strengths"])
    seen = np.concatenate([depths[row] for row in known.train])
    pairs = (
        (head(tokens), depths[row])
        for row, (tokens,) in source.stream([address], known.test.keys())
    )
    counts = {"train_images": len(known.train), "train_tokens": sum(one.n for one in sums)}
    row_of = {"address": address, "readout": DEPTH_LINEAR, "strength": strength, **counts}
    return head, row_of | {"test_images": len(known.test)} | errors_of(pairs, seen)


def train_map(
    source: ActivationSource,
    head: tuple[str, list[str]],
    known: DepthRows,
    settings: dict[str, Any],
    seed: Seed,
) -> tuple[dict[str, np.ndarray], Row]:
    """Train a head over several maps; ``head`` is its own address and the addresses it reads.

    Result: its tensors by name, and a row of errors as in :func:`train_linear`. Its cells are
    averaged over each token, so that both kinds of head are tested on the same depths.

    ``settings``: settings of ``dpt_fit.fit``, and ``threads``, because float sums depend on it.
    """
    import torch  # noqa: PLC0415 - slow to import, and nothing else here needs it

    from eyechart.readout.depth.dpt import TrainedMapHead, as_map, as_maps, cell_places, grids  # noqa: PLC0415
    from eyechart.readout.depth.dpt_fit import Example, fit  # noqa: PLC0415

    own, addresses = head
    places_name = source.places_name(addresses[0])
    torch.set_num_threads(settings["threads"])
    places, depths = source.places(places_name), known.depths[places_name]
    finest = settings["finest"]
    examples = []
    for row, tokens in source.stream(addresses, known.train.keys()):
        image = known.train[row]
        cells = mean_depths(read_depths(image), cell_places(places[row], finest))
        cells = cells.astype(np.float32).reshape(-1, finest, finest)
        for grid in grids(places[row]):
            target = torch.from_numpy(as_map(cells, grid).copy())
            if not target.isnan().all():
                examples.append(Example(as_maps(tokens, grid), target, image.group))
    if len({example.group for example in examples}) < 2:
        raise UserError(
            f"{source.path}: fewer than two groups of images with depth maps whose tokens fill a "
            "grid"
        )
    net = fit(examples, settings, seed)
    trained = TrainedMapHead(net.eval(), addresses)
    seen = np.concatenate([depths[row] for row in known.train])
    pairs = (
        (trained(tokens, places[row]).reshape(-1, finest**2).mean(1), depths[row])
        for row, tokens in source.stream(addresses, known.test.keys())
    )
    counts = {"train_images": len(known.train), "train_views": len(examples)}
    row_of = {"address": own, "readout": DEPTH_DPT, "blocks": addresses, **counts}
    tensors = {name: value.numpy() for name, value in net.state_dict().items()}
    return tensors, row_of | {"test_images": len(known.test)} | errors_of(pairs, seen)


def folds(images: Iterable[DepthImage], count: int, seed: Seed) -> dict[str, int]:
    """Return the fold of each group; folds are nearly equal in size and drawn by seed."""
    groups = sorted({image.group for image in images})
    order = generator("depth folds", *seed).permutation(len(groups))
    return {groups[i]: place % count for place, i in enumerate(order)}


def errors_of(pairs: Iterable[tuple[np.ndarray, np.ndarray]], seen: np.ndarray) -> Row:
    """Return the errors of predictions and of a constant.

    Parameters
    ----------
    pairs : iterable of tuple of ndarray, shape (t,); predicted and true depths; NaN is unknown
    seen : depths seen in training; predictions are clipped to their range, and the constant is
        their mean
    """
    both = [np.stack([p[k], y[k]]) for p, y in pairs for k in [np.isfinite(y) & np.isfinite(p)]]
    predicted, true = np.concatenate(both, axis=1).astype(np.float64)
    low, middle, high = (float(f(seen)) for f in (np.nanmin, np.nanmean, np.nanmax))
    found: Row = {"test_tokens": len(true)}
    for name, guess in (("", predicted.clip(low, high)), ("constant_", np.full_like(true, middle))):
        found[f"{name}abs_rel"] = _mean(np.abs(guess - true) / true)
        found[f"{name}delta_1"] = _mean(np.maximum(guess / true, true / guess) < DELTA)
    return found


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
