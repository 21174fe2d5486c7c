"""Time the default MLP search against VLM-Lens's grid trained one probe at a time.

With `--linear`, compare linear probes on several columns with scikit-learn's, trained to the same
optimum. Reads nothing; writes JSON to stdout. Ratios come from one run: the two take turns, and
medians are compared, since the machine may have other load.

    PYTHONPATH=workflow python bench/probing.py --examples 4000 --rounds 3 --threads 1 --linear 8
    PYTHONPATH=workflow python bench/probing.py --examples 4000 --rounds 3 --threads 1
    PYTHONPATH=workflow python bench/probing.py --examples 600 --rounds 1 --threads 1   # quick
"""

import argparse
import json
import resource
import statistics
import time
from dataclasses import asdict

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from eyechart.core.randomness import generator
from eyechart.probing.search import LINEAR_SHARES, Choice, cross_validate, refit
from eyechart.probing.training_plan import Plan
from eyechart.statistics.splits import grouped_folds

WIDTH, CLASSES, FOLDS, HIDDEN, TESTED = 128, 8, 5, 512, 20_000
BATCHES, EPOCHS, RATES = (64, 128, 1024), (50, 100, 200), (1e-3, 5e-4, 1e-4)


def examples(n: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Return inputs (n', 128), labels (n',) that partly require a hidden layer, and training rows.

    80% of the n examples are for training. Test examples only affect the final accuracy. There are
    20,000, so a difference of one point is not due to chance.
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


def plan_of(y: np.ndarray, train: np.ndarray) -> Plan:
    """Return one seed's plan, with five folds and the labels of the task and a control."""
    rows = np.flatnonzero(train)
    fold = grouped_folds(rows.astype(str), y[train], FOLDS, 7, "bench")
    control = generator("bench permutation").permutation(y)
    return Plan([7], [rows[fold == f] for f in range(FOLDS)], np.stack([y, control])[None])


def default_search(
    x: torch.Tensor, y: np.ndarray, train: np.ndarray, hidden: int = HIDDEN
) -> tuple[float, Choice]:
    """Search and refit as the workflow does; return the test accuracy and the chosen settings."""
    plan = plan_of(y, train)
    choices = cross_validate([x], plan, CLASSES, hidden)
    fit = refit([x], plan, choices, CLASSES, hidden)[0]
    return float((fit.predictions[0, 0] == y[~train]).mean()), choices[0]


def ours(xs: list[torch.Tensor], y: np.ndarray, train: np.ndarray) -> list[np.ndarray]:
    """Return the test predictions of linear probes on several columns, as in the workflow."""
    plan = plan_of(y, train)
    choices = cross_validate(xs, plan, CLASSES, 0)
    return [fit.predictions[0, 0] for fit in refit(xs, plan, choices, CLASSES, 0)]


def theirs(
    xs: list[torch.Tensor], y: np.ndarray, train: np.ndarray, tolerance: float
) -> list[np.ndarray]:
    """Return the same from scikit-learn, with penalties warm-started in turn, then refits."""
    plan, found = plan_of(y, train), []
    for x in (one.numpy() for one in xs):
        right = np.zeros(len(LINEAR_SHARES))
        for rows, held in plan.parts():
            scaler = StandardScaler().fit(x[rows])
            fit = LogisticRegression(max_iter=1000, tol=tolerance, warm_start=True)
            for i, share in enumerate(LINEAR_SHARES):
                fit.C = 1 / (share * WIDTH * len(rows))
                fit.fit(scaler.transform(x[rows]), y[rows])
                right[i] += (fit.predict(scaler.transform(x[held])) == y[held]).sum()
        best = LINEAR_SHARES[int(right.argmax())]
        scaler = StandardScaler().fit(x[train])
        c = 1 / (best * WIDTH * train.sum())
        fits = [
            LogisticRegression(C=c, max_iter=1000, tol=tolerance).fit(
                scaler.transform(x[train]), labels[train]
            )
            for labels in plan.labels[0]
        ]
        found.append(fits[0].predict(scaler.transform(x[~train])))
    return found


def linear(x: torch.Tensor, y: np.ndarray, train: np.ndarray, columns: int, rounds: int) -> None:
    """Print the times of both on columns with increasing noise."""
    noise = generator("bench columns").standard_normal((columns, *x.shape))
    xs = [x + torch.tensor(0.5 * i * n, dtype=torch.float32) for i, n in enumerate(noise)]
    took: dict[str, list[float]] = {"ours": [], "tol 1e-4": [], "tol 1e-6": []}
    for _ in range(rounds):
        predicted = {}
        for name, call in (
            ("ours", lambda: ours(xs, y, train)),
            ("tol 1e-4", lambda: theirs(xs, y, train, 1e-4)),
            ("tol 1e-6", lambda: theirs(xs, y, train, 1e-6)),
        ):
            _, processor, predicted[name] = timed(call)
            took[name].append(round(processor, 2))
    told = {
        name: {
            "processor_s": took[name],
            "accuracy": float(np.mean([(p == y[~train]).mean() for p in found])),
            "as ours": float(
                np.mean([(p == q).mean() for p, q in zip(found, predicted["ours"], strict=True)])
            ),
        }
        for name, found in predicted.items()
    }
    print(json.dumps(told, indent=1))


def loop_epochs(x: torch.Tensor, y: torch.Tensor, batch: int, epochs: int) -> None:
    """Train one MLP with the usual DataLoader loop."""
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
    """Return the (wall, processor) seconds of the full grid, trained one after another.

    These are 27 grid points × 5 folds on 4/5 of the training set, then task and control on all of
    it, extrapolated from a few epochs at each batch size. The time to predict the held-out folds is
    omitted, which favours the loop.
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
    """Return wall seconds, processor seconds of all threads, and the result."""
    clock, processor = time.perf_counter(), time.process_time()
    result = function(*args)
    return time.perf_counter() - clock, time.process_time() - processor, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--linear", type=int, help="columns of linear probes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, y, train = examples(args.examples)
    if args.linear:
        linear(x, y, train, args.linear, args.rounds)
        return
    loops, defaults = [], []
    for _ in range(args.rounds):
        loops.append(loop_grid(x, y, train, 1))
        defaults.append(timed(default_search, x, y, train)[:2])
    report: dict[str, object] = {"loop": loops, "default": defaults}
    for unit, name in enumerate(("clock", "processor")):
        loop, default = (statistics.median(t[unit] for t in turns) for turns in (loops, defaults))
        report[name] = {"loop_s": loop, "default_s": default, "loop / default": loop / default}
    for probe, hidden in (("mlp", HIDDEN), ("linear", 0)):
        accuracy, choice = default_search(x, y, train, hidden)
        chosen = asdict(choice)  # its accuracy is that on the held-out folds
        held_out = chosen.pop("accuracy")
        report[probe] = {"test accuracy": accuracy, "held-out accuracy": held_out, **chosen}
    report["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
