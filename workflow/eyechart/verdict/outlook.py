"""Number of items that would decide an undecided skill at the observed accuracies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eyechart.core.randomness import generator
from eyechart.tables.verdict_rules import NO_RULE, VerdictThresholds
from eyechart.verdict.evidence import Skill, compare_all, measure
from eyechart.verdict.rules import decide

TIMES = (1.25, 1.5, 2, 2.5, 3, 4, 6, 8, 12, 16)  # multiples of the skill's number of groups


def items_needed(skill: Skill, kind: str, thresholds: VerdictThresholds) -> int | None:
    """Return roughly how many items a rule needs to hold; None if 16 times as many are too few.

    The skill's own groups are repeated in random order, so the accuracies stay the same and the
    intervals shrink. If a skill is still undecided with that many items, these items suggest that
    its differences are smaller than the margin.
    """
    rng = generator("outlook", skill.dataset, skill.name)
    orders: dict[str, np.ndarray] = {"": rng.permutation(np.unique(skill.groups))}
    for name, stage in skill.stages.items():
        if stage.groups is not None:
            orders[name] = rng.permutation(np.unique(stage.groups))

    def decided(times: float) -> int | None:
        more = repeated(skill, times, orders)
        found = measure(more, kind, compare_all(more, exact=False), thresholds)
        return None if decide(found, thresholds) is NO_RULE else len(more.groups)

    most = decided(TIMES[-1])  # most skills that are undecided here stay undecided at every number
    return most and next(filter(None, map(decided, TIMES)))


def repeated(skill: Skill, times: float, orders: dict[str, np.ndarray]) -> Skill:
    """Return a skill with ``times`` as many groups, in the given orders of its groups."""
    rows, groups = _repeat(skill.groups, orders[""], times)
    stages = {}
    for name, stage in skill.stages.items():
        own, at = rows, None
        if stage.groups is not None:
            own, at = _repeat(stage.groups, orders[name], times)
        stages[name] = replace(stage, right=stage.right[own], groups=at, candidates=None)
    changed = None if skill.changed is None else skill.changed[rows]
    return replace(skill, groups=groups, stages=stages, changed=changed, looks=())


def _repeat(groups: np.ndarray, order: np.ndarray, times: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the repeated groups and the name of each row's group."""
    by_name = np.argsort(groups, kind="stable")
    members = dict(zip(*_split(groups[by_name], by_name), strict=True))
    count = round(times * len(order))
    names = [(order[k % len(order)], k // len(order)) for k in range(count)]
    rows = np.concatenate([members[name] for name, _ in names])
    copies = np.concatenate([np.full(len(members[name]), copy) for name, copy in names])
    return rows, np.char.add(np.char.add(groups[rows], "/"), copies.astype(str))


def _split(ordered: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the distinct groups and the rows of each, for rows sorted by group."""
    names, starts = np.unique(ordered, return_index=True)
    return names, np.split(rows, starts[1:])
