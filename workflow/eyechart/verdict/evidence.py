"""What is known of one skill: who was right on which item, at every stage; and what follows."""

from dataclasses import dataclass

import numpy as np

from eyechart.statistics.intervals import paired_interval, share_interval, unpaired_interval
from eyechart.statistics.testing import mcnemar_exact
from eyechart.tables.verdict import COMPARISONS
from eyechart.tables.verdict_rules import Estimate, Test


@dataclass(frozen=True)
class StageEvidence:
    """Answers taken at one stage.

    Attributes
    ----------
    right : ndarray of float, shape (n,)
        1 where right, 0 where wrong; a share where an item was asked in several orders.
    address : str
        Where; empty for answers in words.
    evidence : str
        ``readout``, ``probe`` or ``answer``.
    floor : float
        What is reached without knowing anything: chance, and for a probe what the question alone
        gives.
    groups : ndarray of str, shape (n,), or None
        Of items other than the skill's own, which cannot be paired with those; None: the same.
    """

    right: np.ndarray
    address: str
    evidence: str
    floor: float
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Skill:
    """One skill of one model.

    Attributes
    ----------
    dataset, name, band : str
    seen : str
        ``canvas`` or ``alone``: how the images of the readouts were seen that decide; else empty.
    groups : ndarray of str, shape (n,)
    chance : float
    stages : dict of StageEvidence
        Of ``eyechart.tables.verdict.STAGES``, those that there are.
    changed : ndarray of float, shape (n,), or None
        Whether the sighted answer differs from the blind one.
    """

    dataset: str
    name: str
    band: str
    seen: str
    groups: np.ndarray
    chance: float
    stages: dict[str, StageEvidence]
    changed: np.ndarray | None = None


@dataclass(frozen=True)
class Findings:
    """All numbers of a skill that rules may look at; what was not measured is not there."""

    estimates: dict[str, Estimate]
    tests: dict[str, Test]
    changed: Estimate | None = None
    kind: str = "vlm"
    decisive: str = "encoder"  # the stage that stands for the encoder
    read: bool = True  # whether that one was read from features, and not asked


def estimate(stage: StageEvidence, groups: np.ndarray) -> Estimate:
    """Return value and interval of one stage."""
    own = groups if stage.groups is None else stage.groups
    low, high = share_interval(stage.right, own)
    return Estimate(float(stage.right.mean()), low, high, len(stage.right), stage.floor)


def compare(first: StageEvidence, second: StageEvidence, groups: np.ndarray) -> Test:
    """Test two stages: on the same items by McNemar's exact test, group by group; else apart.

    Returns
    -------
    Test
        Whose q is p still; it is corrected when all tests of a table are there.
    """
    difference = float(first.right.mean() - second.right.mean())
    if first.groups is None and second.groups is None:
        low, high = paired_interval(first.right, second.right, groups)
        p = mcnemar_exact(first.right, second.right, groups)
    else:
        ours, theirs = (groups if s.groups is None else s.groups for s in (first, second))
        low, high, p = unpaired_interval(first.right, ours, second.right, theirs)
    return Test(difference, low, high, p, p)


def measure(skill: Skill, kind: str) -> Findings:
    """Return the estimates and (uncorrected) tests of a skill of a model of a kind."""
    stages = skill.stages
    alone = kind == "encoder" and "alone" in stages
    tests = {
        name: compare(stages[first], stages[second], skill.groups)
        for name, (first, second) in COMPARISONS.items()
        if first in stages and second in stages and stages[first] is not stages[second]
    }
    changed = None
    if skill.changed is not None:
        low, high = share_interval(skill.changed, skill.groups)
        changed = Estimate(float(skill.changed.mean()), low, high, len(skill.changed), 0.0)
    estimates = {name: estimate(stage, skill.groups) for name, stage in stages.items()}
    decisive = "alone" if alone else "encoder"
    read = decisive in stages and stages[decisive].evidence == "readout"
    return Findings(estimates, tests, changed, kind, decisive, read)
