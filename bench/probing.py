"""Time the stacked probes against the usual loop, and the default search against VLM-Lens' grid.

Reads nothing; writes JSON to stdout. Ratios are within one run; the variants take turns, and
medians are compared, since other work may share the machine.

    PYTHONPATH=workflow python bench/probing.py --examples 4000 --rounds 3 --threads 2
    PYTHONPATH=workflow python bench/probing.py --examples 600 --rounds 1 --threads 2   # a minute
"""

import argparse
import json
import resource
import statistics
import time

import numpy as np
import torch

from eyechart.probing.layout import Plan, make_plan
from eyechart.probing.search import Choice, Recipe, cross_validate, refit
from eyechart.probing.splits import grouped_folds
from eyechart.randomness import generator

WIDTH, CLASSES, FOLDS, HIDDEN = 128, 8, 5, 512
BATCHES, EPOCHS, RATES = (64, 128, 1024), (50, 100, 200), (1e-3, 5e-4, 1e-4)
DECAY = 0.01  # AdamW's own default, which VLM-Lens leaves alone


def examples(n: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Give inputs (n, 128), labels (n,) that need a hidden layer in part, and the training rows."""
    rng = generator("bench", n)
    hidden = rng.standard_normal((n, 16))
    curved = np.tanh(hidden @ rng.standard_normal((16, 32))) @ rng.standard_normal((32, CLASSES))
    scores = curved + hidden @ rng.standard_normal((16, CLASSES))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(1)
    x = np.tanh(hidden @ rng.standard_normal((16, WIDTH)) * 0.5)
    x += 0.7 * rng.standard_normal((n, WIDTH))
    return torch.tensor(x, dtype=torch.float32), y, np.arange(n) < 0.8 * n


def plans(y: np.ndarray, train: np.ndarray) -> list[Plan]:
    """Give one seed's plan: five folds; labels of the task and of its permutation."""
    groups = np.arange(train.sum()).astype(str)
    fold = grouped_folds(groups, y[train], FOLDS, 7, "bench")
    permuted = generator("bench permutation").permutation(y)
    return [make_plan(7, fold, np.stack([y, permuted]), train, "bench")]


def recipe(rates: tuple[float, ...], epochs: tuple[int, ...], patience: int, batch: int) -> Recipe:
    return Recipe(HIDDEN, rates, (DECAY,), epochs, patience, batch, True)


def accuracy(fit_predictions: np.ndarray, y: np.ndarray, train: np.ndarray) -> float:
    return float((fit_predictions[0] == y[~train]).mean())


def stacked_grid(
    x: torch.Tensor, y: np.ndarray, train: np.ndarray, epochs: tuple[int, ...]
) -> tuple[float, Choice]:
    """Search VLM-Lens' grid as stacks and refit; give test accuracy and the winning point."""
    found: list[tuple[Choice, Recipe]] = []
    for batch in BATCHES:
        own = recipe(RATES, epochs, len(epochs), batch)
        found.append((cross_validate([x], plans(y, train), CLASSES, own)[0][0], own))
    choice, own = min(found, key=lambda pair: pair[0].loss)
    fit = refit([x], plans(y, train), [[choice]], CLASSES, own)[0][0]
    return accuracy(fit.predictions, y, train), choice


def default_search(x: torch.Tensor, y: np.ndarray, train: np.ndarray) -> tuple[float, Choice]:
    """Search as config/config.yaml does for the MLP, and refit."""
    own = recipe((0.001, 0.003), (1, 2, 3, 4, 6, 8, 11, 15, 20, 30), 2, 128)
    choice = cross_validate([x], plans(y, train), CLASSES, own)[0][0]
    fit = refit([x], plans(y, train), [[choice]], CLASSES, own)[0][0]
    return accuracy(fit.predictions, y, train), choice


def loop_epoch(x: torch.Tensor, y: torch.Tensor, batch: int, epochs: int) -> float:
    """Train one MLP by the usual DataLoader loop; give seconds per epoch."""
    data = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True)
    linear = torch.nn.Linear
    model = torch.nn.Sequential(linear(WIDTH, HIDDEN), torch.nn.ReLU(), linear(HIDDEN, CLASSES))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss_of = torch.nn.CrossEntropyLoss()
    start = time.perf_counter()
    for _ in range(epochs):
        for inputs, labels in loader:
            optimiser.zero_grad()
            loss_of(model(inputs), labels).backward()
            optimiser.step()
    return (time.perf_counter() - start) / epochs


def loop_grid(x: torch.Tensor, y: np.ndarray, train: np.ndarray, epochs: int) -> float:
    """Give the seconds that the whole grid takes one after another, from a few epochs of each size.

    27 grid points × 5 folds on 4/5 of the training part, then task and control on all of it.
    Evaluation of the held-out folds is left out, in the loop's favour.
    """
    inputs, labels = x[torch.from_numpy(train)], torch.from_numpy(y[train])
    part = int(len(inputs) * (1 - 1 / FOLDS))
    loop_epoch(inputs[:part], labels[:part], BATCHES[-1], 1)  # warm-up
    total = 0.0
    for batch in BATCHES:
        each = loop_epoch(inputs[:part], labels[:part], batch, epochs)
        total += each * FOLDS * len(RATES) * sum(EPOCHS)
    final = loop_epoch(inputs, labels, BATCHES[1], epochs)
    return total + 2 * final * EPOCHS[1]


def timed(function, *args):  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, y, train = examples(args.examples)
    full_s, (full_accuracy, full_choice) = timed(stacked_grid, x, y, train, EPOCHS)
    loop_s, stacked_s, default_s = [], [], []
    short = tuple(e // 50 for e in EPOCHS)  # a fiftieth of the grid's epochs, for taking turns
    for _ in range(args.rounds):
        loop_s.append(loop_grid(x, y, train, 2))
        stacked_s.append(timed(stacked_grid, x, y, train, short)[0] * 50)
        seconds, (default_accuracy, default_choice) = timed(default_search, x, y, train)
        default_s.append(seconds)
    loop, stacked, default = map(statistics.median, (loop_s, stacked_s, default_s))
    report = {
        "loop_grid_s": loop_s,
        "stacked_grid_s": stacked_s,
        "stacked_grid_whole_s": full_s,
        "default_search_s": default_s,
        "loop / stacked grid": loop / stacked,
        "loop / default search": loop / default,
        "stacked grid / default search": stacked / default,
        "accuracy grid": full_accuracy,
        "accuracy default": default_accuracy,
        "choice grid": str(full_choice),
        "choice default": str(default_choice),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
