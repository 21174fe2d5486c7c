"""Metrics of multiple-choice answers.

Each function returns a :class:`Measure`, the contribution of each item (or pair), so that rows for
all tasks, rows for one task and their intervals come from the same numbers. An item that was asked
in several orders of its choices contributes its mean over these orders.
"""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, hstack

from eyechart.statistics.resample import Measure, largest, mean, per_unit, total_variation
from eyechart.tables.response_arrays import AnsweredItems, ConditionResponses


def accuracy(asked: AnsweredItems, choice: np.ndarray, metric: str = "accuracy") -> Measure:
    """Return the accuracy of choices, (r,), over items with a known answer.

    A choice of -1 (from a text that states none) is wrong. Chance: 1 / c.
    """
    unit = np.flatnonzero(asked.truth >= 0)
    right = asked.average(choice == asked.truth[asked.item])[unit]
    return Measure(metric, unit, per_unit(right), mean, per_unit(1 / asked.c[unit]))


def accuracy_text(asked: AnsweredItems, said: ConditionResponses) -> Measure:
    """Return the share of texts that state the right choice, over items with texts.

    A text that states no choice counts as wrong. Chance: 1 / c.
    """
    right = said.parsed == asked.truth[asked.item]
    unit, share = _of_texts(right, asked.truth >= 0, asked, said)
    return Measure("accuracy_text", unit, per_unit(share), mean, per_unit(1 / asked.c[unit]))


def unparsed(asked: AnsweredItems, said: ConditionResponses) -> Measure:
    """Return the share of texts that state no choice; there is no chance level."""
    unit, share = _of_texts(said.parsed < 0, asked.c > 0, asked, said)
    return Measure("unparsed", unit, per_unit(share), mean)


def majority(asked: AnsweredItems) -> Measure:
    """Return the share of the most frequent true answer, i.e. the accuracy of always choosing it.

    Chance: 1 / c, as for accuracy.
    """
    unit = np.flatnonzero(asked.truth >= 0)
    truth = _weighed(asked.shares(asked.truth[asked.item]), unit)
    return Measure("majority", unit, truth, largest, per_unit(1 / asked.c[unit]), norm=True)


def pair_accuracy(asked: AnsweredItems, said: ConditionResponses) -> Measure:
    """Return the share of pairs in which all items are answered correctly; n counts pairs.

    An order counts if all items of the pair were asked in it. Chance: the product of 1 / c over a
    pair's items.

    Source: the score of MMVP (Tong et al., CVPR 2024, section 3), one point per pair with both
    right.
    """
    member = np.flatnonzero(asked.pair >= 0)
    unit = member[np.unique(asked.pair[member], return_index=True)[1]]
    size = np.bincount(asked.pair[member], minlength=len(unit))
    row = asked.pair[asked.item] >= 0
    cell = (asked.pair[asked.item[row]], asked.order[row])
    given = np.zeros((len(unit), int(asked.order.max(initial=0)) + 1))
    right = np.zeros_like(given)
    np.add.at(given, cell, 1)
    np.add.at(right, cell, (said.predicted == asked.truth[asked.item])[row])
    whole = given == size[:, None]  # (pairs, orders)
    share = ((right == given) & whole).sum(1) / np.maximum(whole.sum(1), 1)
    chance = np.ones(len(unit))
    np.multiply.at(chance, asked.pair[member], 1 / asked.c[member])
    usable = whole.any(1)
    chance_sums = per_unit(chance[usable])
    return Measure("pair_accuracy", unit[usable], per_unit(share[usable]), mean, chance_sums)


def tv_truth(asked: AnsweredItems, said: ConditionResponses) -> Measure:
    """Return the total variation distance between the distributions of predictions and truths.

    At 0, each answer is predicted as often as it is true, though not necessarily for the right
    items. Chance: the distance of uniform predictions from the truth; 0 if answers are balanced.

    Source: half the L1 distance of two distributions, used for blind answers in Fu et al., "Hidden
    in plain sight" (COLM 2025).
    """
    unit = np.flatnonzero(asked.truth >= 0)
    truth = asked.shares(asked.truth[asked.item])
    return _distance(
        "tv_truth", unit, asked.shares(said.predicted) - truth, asked.uniform() - truth
    )


def tv_blank(asked: AnsweredItems, said: ConditionResponses, blank: ConditionResponses) -> Measure:
    """Return the total variation distance from predictions under the condition ``blank``.

    At 0, each answer is predicted as often as without image content. Chance: 0.
    """
    difference = asked.shares(said.predicted) - asked.shares(blank.predicted)
    nothing = csr_array(difference.shape)
    found = _distance("tv_blank", np.flatnonzero(asked.c > 0), difference, nothing)
    return replace(found, against="blank")


def changed(asked: AnsweredItems, said: ConditionResponses, sighted: ConditionResponses) -> Measure:
    """Return the share of predictions that differ from those under the condition ``sighted``.

    Chance: 1 - 1 / c, for two independent draws.
    """
    unit = np.flatnonzero(asked.c > 0)
    moved = asked.average(said.predicted != sighted.predicted)[unit]
    found = Measure("changed", unit, per_unit(moved), mean, per_unit(1 - 1 / asked.c[unit]))
    return replace(found, against="sighted")


def changed_by(asked: AnsweredItems, said: ConditionResponses, scoring: str) -> Measure:
    """Return the share of predictions that another scoring method changes; no chance level."""
    unit = np.flatnonzero(asked.c > 0)
    moved = asked.average(said.predicted != said.scored_otherwise[scoring])[unit]
    return Measure(f"changed_by_{scoring}", unit, per_unit(moved), mean)


def order_consistency(asked: AnsweredItems, said: ConditionResponses) -> Measure:
    """Return the share of multi-order items whose prediction is the same in every order.

    Chance: c ** (1 - k) for k orders.
    """
    unit = np.flatnonzero(asked.orders > 1)
    head = np.zeros(len(asked.ids), dtype=int)
    head[asked.item[::-1]] = said.predicted[::-1]  # each item's first row is written last
    alike = asked.average(said.predicted == head[asked.item])[unit] == 1
    chance = asked.c[unit] ** (1.0 - asked.orders[unit])
    return Measure("order_consistency", unit, per_unit(alike), mean, per_unit(chance))


def place_bias(asked: AnsweredItems, said: ConditionResponses) -> Measure:
    """Return the total variation distance of predicted option positions from uniform.

    Over all cyclic orders, each choice is once at each position, so only a preference for positions
    remains. Over fewer orders, the positions of the true answers also contribute. Chance: 0.
    """
    difference = asked.place_shares(said.predicted) - asked.uniform_places()
    unit = np.flatnonzero(asked.c > 0)
    return _distance("place_bias", unit, difference, csr_array(difference.shape))


def measures(
    asked: AnsweredItems, said: dict[str, ConditionResponses], condition: str
) -> list[Measure]:
    """Return all applicable choice metrics of a condition, in the order of the table."""
    own = said[condition]
    found = [accuracy(asked, own.predicted)]
    for name, choice in own.scored_otherwise.items():
        found += [accuracy(asked, choice, f"accuracy_{name}"), changed_by(asked, own, name)]
    found += [accuracy_text(asked, own), unparsed(asked, own), majority(asked)]
    found += [pair_accuracy(asked, own), tv_truth(asked, own)]
    if "blank" in said and condition != "blank":
        found.append(tv_blank(asked, own, said["blank"]))
    if condition != "sighted":
        found.append(changed(asked, own, said["sighted"]))
    found += [order_consistency(asked, own), place_bias(asked, own)]
    return [measure for measure in found if len(measure.unit)]


def _of_texts(
    values: np.ndarray, among: np.ndarray, asked: AnsweredItems, said: ConditionResponses
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of items with texts, and the mean of values (r,) over an item's texts."""
    told = asked.average(said.has_text)
    unit = np.flatnonzero(among & (told > 0))
    return unit, asked.average(values & said.has_text)[unit] / told[unit]


def _distance(metric: str, unit: np.ndarray, sums: csr_array, chance: csr_array) -> Measure:
    """Return the total variation distance of the units' shares (n, s)."""
    own, of_chance = _weighed(sums, unit), _weighed(chance, unit)
    return Measure(metric, unit, own, total_variation, of_chance, norm=True)


def _weighed(shares: csr_array, unit: np.ndarray) -> csr_array:
    return csr_array(hstack([shares[unit], np.ones((len(unit), 1))]))
