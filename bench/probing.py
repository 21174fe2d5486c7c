"""Time the stacked probes against the usual loop, and the default search against VLM-Lens' grid.

Reads nothing; writes JSON to stdout. Ratios are within one run; the variants take turns, and
medians are compared, since other work may share the machine.

    PYTHONPATH=workflow python bench/probing.py --examples 4000 --rounds 3 --threads 2 --whole
    PYTHONPATH=workflow python bench/probing.py --examples 600 --rounds 1 --threads 2   # quick
"""

import argparse
import json
import resource
import statistics
import time

import numpy as np
import torch

from eyechart.core.randomness import generator
from eyechart.probing.layout import SeedPlan, make_plan
from eyechart.probing.search import Choice, Recipe, cross_validate, refit
from eyechart.statistics.splits import grouped_folds

WIDTH, CLASSES, FOLDS, HIDDEN, TESTED = 128, 8, 5, 512, 20_000
BATCHES, EPOCHS, RATES = (64, 128, 1024), (50, 100, 200), (1e-3, 5e-4, 1e-4)
SHARE = 50  # taking turns, the stacked grid runs this part of its epochs
DECAY = 0.01  # AdamW's own default, which VLM-Lens leaves alone


def examples(n: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Return inputs (n', 128), labels (n',) that partly need a hidden layer, and training rows.

    80 % of n examples train. Nothing but the final accuracy looks at test examples, so there are
    20,000 of them, and a difference of one point is no accident.
    """
    rng = generator("bench", n)
    size = int(0.8 * n) + TESTED
    hidden = rng.standard_normal((size, 16))
    curved = np.tanh(hidden @ rng.standard_normal((16, 32))) @ rng.standard_normal((32, CLASSES))
    scores = curved + hidden @ rng.standard_normal((16, CLASSES))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(1)
    x = np.tanh(hidden @ rng.standard_normal((16, WIDTH)) * 0.5)
    x += 0.7 * rng.standard_normal((size, WIDTH))
    return torch.tensor(x, dtype=torch.float32), y, np.arange(size) < int(0.8 * n)


def plans(y: np.ndarray, train: np.ndarray) -> list[SeedPlan]:
    """Return one seed's plan: five folds; labels of the task and of its permutation."""
    groups = np.arange(train.sum()).astype(str)
    fold = grouped_folds(groups, y[train], FOLDS, 7, "bench")
    permuted = generator("bench permutation").permutation(y)
    return [make_plan(7, fold, np.stack([y, permuted]), train, "bench")]


def accuracy(fit_predictions: np.ndarray, y: np.ndarray, train: np.ndarray) -> float:
    return float((fit_predictions[0] == y[~train]).mean())


def stacked_grid(
    x: torch.Tensor, y: np.ndarray, train: np.ndarray, epochs: tuple[int, ...]
) -> tuple[float, Choice]:
    """Search VLM-Lens' grid as stacks and refit; give test accuracy and the winning point."""
    found: list[tuple[Choice, Recipe]] = []
    for batch in BATCHES:
        own = Recipe(HIDDEN, RATES, (DECAY,), epochs, len(epochs), batch, True)
        found.append((cross_validate([x], plans(y, train), CLASSES, own)[0][0], own))
    choice, own = min(found, key=lambda pair: pair[0].loss)
    fit = refit([x], plans(y, train), [[choice]], CLASSES, own)[0][0]
    return accuracy(fit.predictions, y, train), choice


def default_search(x: torch.Tensor, y: np.ndarray, train: np.ndarray) -> tuple[float, Choice]:
    """Search as config/config.yaml does for the MLP, and refit."""
    own = Recipe(HIDDEN, (0.003,), (0.0,), (1, 2, 3, 4, 6, 8, 11, 15, 20, 30), 2, 128, True)
    choice = cross_validate([x], plans(y, train), CLASSES, own)[0][0]
    fit = refit([x], plans(y, train), [[choice]], CLASSES, own)[0][0]
    return accuracy(fit.predictions, y, train), choice


def loop_epochs(x: torch.Tensor, y: torch.Tensor, batch: int, epochs: int) -> None:
    """Train one MLP by the usual DataLoader loop."""
    data = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True)
    linear = torch.nn.Linear
    model = torch.nn.Sequential(linear(WIDTH, HIDDEN), torch.nn.ReLU(), linear(HIDDEN, CLASSES))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        for inputs, labels in loader:
            optimiser.zero_grad()
            loss_of(model(inputs), labels).backward()
            optimiser.step()


def loop_grid(
    x: torch.Tensor, y: np.ndarray, train: np.ndarray, epochs: int
) -> tuple[float, float]:
    """Return the (clock, processor) seconds of the whole grid, one training after another.

    27 grid points × 5 folds on 4/5 of the training part, then task and control on all of it,
    reckoned from a few epochs of each batch size. Predicting the held-out folds is left out, in
    the loop's favour.
    """
    inputs, labels = x[torch.from_numpy(train)], torch.from_numpy(y[train])
    part = int(len(inputs) * (1 - 1 / FOLDS))
    loop_epochs(inputs[:part], labels[:part], BATCHES[-1], 1)  # warm-up
    total = np.zeros(2)
    for batch in BATCHES:
        each = timed(loop_epochs, inputs[:part], labels[:part], batch, epochs)[:2]
        total += np.array(each) / epochs * FOLDS * len(RATES) * sum(EPOCHS)
    final = timed(loop_epochs, inputs, labels, BATCHES[1], epochs)[:2]
    total += np.array(final) / epochs * 2 * EPOCHS[1]
    return float(total[0]), float(total[1])


def timed(function, *args):  # type: ignore[no-untyped-def]
    """Return seconds on the clock, seconds of processor time (all threads), and the result."""
    clock, processor = time.perf_counter(), time.process_time()
    result = function(*args)
    return time.perf_counter() - clock, time.process_time() - processor, result


def take_turns(
    x: torch.Tensor, y: np.ndarray, train: np.ndarray, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Return (clock, processor) seconds of the three variants, round by round."""
    short = tuple(e // SHARE for e in EPOCHS)
    turns: dict[str, list[tuple[float, float]]] = {"loop": [], "stacked": [], "default": []}
    for _ in range(rounds):
        turns["loop"].append(loop_grid(x, y, train, 1))
        clock, processor, _ = timed(stacked_grid, x, y, train, short)
        turns["stacked"].append((clock * SHARE, processor * SHARE))
        turns["default"].append(timed(default_search, x, y, train)[:2])
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--whole", action="store_true", help="also run the stacked grid to its end")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, y, train = examples(args.examples)
    report: dict[str, object] = {}
    turns = take_turns(x, y, train, args.rounds)
    for unit, name in enumerate(("clock", "processor")):
        loop, stacked, default = (
            statistics.median(t[unit] for t in turns[v]) for v in ("loop", "stacked", "default")
        )
        report[name] = {
            "loop_s": loop,
            "stacked_s": stacked,
            "default_s": default,
            "loop / stacked": loop / stacked,
            "loop / default": loop / default,
            "stacked / default": stacked / default,
        }
    report["rounds"] = turns
    report["default"] = str(default_search(x, y, train))
    if args.whole:
        report["whole"] = str(timed(stacked_grid, x, y, train, EPOCHS))
    report["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
