"""scikit-learn's logistic regression as a probe, with its penalty chosen by grouped k-fold.

It minimises the mean cross-entropy plus ``penalty / 2`` times the squared norm of the weights, to
convergence, by L-BFGS. Folds, seeds, controls and tables are those of the trained probes.
"""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from eyechart.probing.layout import SeedPlan
from eyechart.probing.search import Choice, Fit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogisticRecipe:
    """The grid of penalties."""

    penalties: Sequence[float]  # of the mean cross-entropy, above 0
    steps: int  # of L-BFGS, at most
    standardise: bool


def cross_validate(
    columns: list[Tensor], plans: list[SeedPlan], classes: int, recipe: LogisticRecipe
) -> list[list[Choice]]:
    """Choose the penalty per column and seed by the held-out loss of grouped folds.

    Parameters and result are as for :func:`eyechart.probing.search.cross_validate`.
    """
    return [
        [_choose(column.cpu().numpy(), plan, classes, recipe) for plan in plans]
        for column in columns
    ]


def refit(
    columns: list[Tensor],
    plans: list[SeedPlan],
    choices: list[list[Choice]],
    classes: int,
    recipe: LogisticRecipe,
) -> list[list[Fit]]:
    """Train task and controls on the whole training part with the chosen penalty.

    Parameters and result are as for :func:`eyechart.probing.search.refit`.
    """
    return [
        [
            _fit(column.cpu().numpy(), plan, choice.weight_decay, recipe)
            for plan, choice in zip(plans, chosen, strict=True)
        ]
        for column, chosen in zip(columns, choices, strict=True)
    ]


def _choose(x: np.ndarray, plan: SeedPlan, classes: int, recipe: LogisticRecipe) -> Choice:
    from sklearn.metrics import log_loss  # noqa: PLC0415 - slow to import

    y, n = plan.labels[0], sum(len(rows) for rows in plan.folds)
    loss, right = np.zeros((2, len(recipe.penalties)))
    for f, held in enumerate(plan.folds):
        learnt = np.concatenate([rows for g, rows in enumerate(plan.folds) if g != f])
        for i, penalty in enumerate(recipe.penalties):
            model = _trained(x[learnt], y[learnt], penalty, recipe)
            known = model.predict_proba(x[held])
            p = np.zeros((len(held), classes), known.dtype)
            p[:, model.classes_] = known  # a fold may lack a class
            loss[i] += log_loss(y[held], p, labels=range(classes), normalize=False) / n
            right[i] += (p.argmax(1) == y[held]).sum() / n
    best = int(loss.argmin())
    return Choice(None, recipe.penalties[best], None, float(loss[best]), float(right[best]))


def _fit(x: np.ndarray, plan: SeedPlan, penalty: float, recipe: LogisticRecipe) -> Fit:
    learnt = np.concatenate(plan.folds)
    test = np.setdiff1d(np.arange(len(x)), learnt)
    predictions, accuracy = [], []
    for y in plan.labels:
        model = _trained(x[learnt], y[learnt], penalty, recipe)
        predictions.append(model.predict(x[test]))
        accuracy.append(model.score(x[learnt], y[learnt]))
    return Fit(np.stack(predictions), np.array(accuracy))


def _trained(x: np.ndarray, y: np.ndarray, penalty: float, recipe: LogisticRecipe) -> Any:
    """Return a fitted scikit-learn pipeline: scaling, if requested, and the regression."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    model = make_pipeline(
        StandardScaler() if recipe.standardise else "passthrough",
        LogisticRegression(C=1 / (penalty * len(x)), max_iter=recipe.steps),
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(x, y)
    if caught:
        log.info("penalty %g: not converged after %d steps", penalty, recipe.steps)
    return model
