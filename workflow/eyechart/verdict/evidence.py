"""The evidence about one skill: correct items at every stage, estimates and tests."""

from dataclasses import dataclass, replace

import numpy as np

from eyechart.core.randomness import generator
from eyechart.statistics.best_address import SPLITS, cross_fitted_test
from eyechart.statistics.intervals import paired_interval, share_interval, unpaired_interval
from eyechart.statistics.sign_flip import sign_flip_exact, sign_flip_normal
from eyechart.statistics.spending import spent_levels
from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.verdict import COMPARISONS, POSITION
from eyechart.tables.verdict_rules import Estimate, Test, VerdictThresholds
from eyechart.verdict.causal import CausalEvidence

RESPONSES = ("sighted", "blind")


@dataclass(frozen=True)
class StageEvidence:
    """The answers at one stage.

    Attributes
    ----------
    right : float, shape (n,)
        1 if right, 0 if wrong; a share if an item has several orders of its choices, or if several
        addresses were candidates.
    address : str
        The address; empty for responses.
    evidence : str
        ``readout``, ``probe`` or ``answer``.
    floor : float
        Accuracy without information: chance and, for a probe, at least the accuracy from the
        question alone.
    groups : str, shape (n,), or None
        Groups of items that cannot be paired with the skill's own; None if the items are the same.
    bound : bool
        Whether more training would increase the value, so a low value is not evidence.
    candidates : float, shape (a, n), or None
        ``right`` of each candidate, if ``right`` is cross-fitted over several; None for a single
        one.
    """

    right: np.ndarray
    address: str
    evidence: str
    floor: float
    groups: np.ndarray | None = None
    bound: bool = False
    candidates: np.ndarray | None = None

    @property
    def each(self) -> np.ndarray:
        """The results of every candidate, shape (a, n)."""
        return self.right[None] if self.candidates is None else self.candidates


@dataclass(frozen=True)
class Skill:
    """One skill of one model.

    Attributes
    ----------
    dataset, name, band : str
    seen : str
        ``canvas`` or ``alone``: how the images of the deciding readouts were shown; empty without
        readouts.
    groups : str, shape (n,)
    chance : float
    stages : dict of StageEvidence
        The stages of ``eyechart.tables.verdict.STAGES`` with evidence.
    changed : float, shape (n,), or None
        Whether the sighted answer differs from the blind one.
    looks : tuple of int
        If its items are answered in steps, the number planned up to each look; otherwise empty.
    answered : int
        The number of these items that were answered.
    unknown : str
        The reason why the stages before the answer position are unknown; otherwise empty.
    causal : CausalEvidence, or None
        The results of interventions; None if there are none.
    """

    dataset: str
    name: str
    band: str
    seen: str
    groups: np.ndarray
    chance: float
    stages: dict[str, StageEvidence]
    changed: np.ndarray | None = None
    looks: tuple[int, ...] = ()
    answered: int = 0
    unknown: str = ""
    causal: CausalEvidence | None = None

    @property
    def look(self) -> int:
        """The look at which answering stopped; the first is 0."""
        return next(k for k, planned in enumerate(self.looks) if planned >= self.answered)


@dataclass(frozen=True)
class Findings:
    """All estimates and tests of a skill that were measured and that rules may use."""

    estimates: dict[str, Estimate]
    tests: dict[str, Test]
    changed: Estimate | None = None
    kind: str = "vlm"
    decisive: str = "encoder"  # the stage that represents the encoder
    read: bool = True  # whether that stage was read from features, not from a response
    probed: bool = False  # whether it was read by a trained probe
    bounds: frozenset[str] = frozenset()  # stages at which a low value is not evidence


def thresholds_of(skill: Skill, thresholds: VerdictThresholds) -> VerdictThresholds:
    """Return the thresholds with the levels of the look at which a skill stopped."""
    shares = tuple(planned / skill.looks[-1] for planned in skill.looks)
    if len(shares) < 2:
        return thresholds
    names = ("alpha", "absence", "equality")
    spent = {name: spent_levels(getattr(thresholds, name), shares)[skill.look] for name in names}
    return replace(thresholds, **spent)


def estimate(
    right: np.ndarray, groups: np.ndarray, floor: float, thresholds: VerdictThresholds
) -> Estimate:
    """Return the value and intervals of one stage."""
    ends = share_interval(right, groups)
    levels = (thresholds.alpha, thresholds.absence)
    surely, at_most = (share_interval(right, groups, 1 - level) for level in levels)
    return Estimate(float(right.mean()), *ends, len(right), floor, surely[0], at_most[1])


def compare(
    first: StageEvidence, second: StageEvidence, groups: np.ndarray, rng: np.random.Generator | None
) -> Test:
    """Test two stages: paired items by the sign-flip test by group, others as two samples.

    If a stage is the best of several candidates, the choice is repeated after every flip. Without a
    generator, the normal distribution replaces the flips, and choices are fixed.

    Returns
    -------
    Test
        Its q still equals p; it is corrected once all tests of the skill exist.
    """
    difference = float(first.right.mean() - second.right.mean())
    if first.groups is None and second.groups is None:
        low, high = paired_interval(first.right, second.right, groups)
        own = (first.right, second.right, groups)
        if rng is None:
            p = sign_flip_normal(*own)
        elif max(len(first.each), len(second.each)) > 1:
            p = cross_fitted_test(first.each, second.each, groups, rng)
        else:
            p = sign_flip_exact(*own, SPLITS)
    else:
        ours, theirs = (groups if s.groups is None else s.groups for s in (first, second))
        low, high, p = unpaired_interval(first.right, ours, second.right, theirs)
    return Test(difference, low, high, p, p)


def comparable(stages: dict[str, StageEvidence], first: str, second: str) -> bool:
    """Return whether a difference between two stages is informative about the model.

    The two must be different evidence. A trained probe finds more than an untrained readout, so
    their difference would be due to the methods. The answer position is the exception: information
    that a readout finds, but that a probe at the answer position does not find, is lost. A response
    may be below either.
    """
    one, other = stages[first], stages[second]
    alike = (one.evidence == "probe") == (other.evidence == "probe")
    return one is not other and (alike or second in (*POSITION, *RESPONSES))


def compare_all(skill: Skill, exact: bool = True) -> dict[str, Test]:
    """Return the tests of a skill, with q over them.

    The verdict of a skill therefore does not depend on which other skills were examined. With
    ``exact``, p comes from sign flips; otherwise from the normal distribution.
    """
    stages, key = skill.stages, ("flips", skill.dataset, skill.name)
    tests = {
        name: compare(
            *(stages[first], stages[second], skill.groups), generator(*key, name) if exact else None
        )
        for name, (first, second) in COMPARISONS.items()
        if {first, second} <= set(stages) and comparable(stages, first, second)
    }
    q = benjamini_hochberg(np.array([test.p for test in tests.values()])).tolist()
    return {name: replace(tests[name], q=own) for name, own in zip(tests, q, strict=True)}


def measure(
    skill: Skill, kind: str, tests: dict[str, Test], thresholds: VerdictThresholds
) -> Findings:
    """Return everything that the rules use about a skill, at the thresholds' levels.

    ``tests`` come from :func:`compare_all` and do not depend on a level.
    """
    stages = skill.stages
    if "sighted_blind" in tests:  # the only comparison that may show two stages to be alike
        sighted, blind = (stages[name].right for name in RESPONSES)
        ends = paired_interval(sighted, blind, skill.groups, 1 - thresholds.equality)
        tests = tests | {"sighted_blind": replace(tests["sighted_blind"], ends=ends)}
    changed = None
    if skill.changed is not None:
        changed = estimate(skill.changed, skill.groups, 0.0, thresholds)
    estimates = {}
    for name, stage in stages.items():
        groups = skill.groups if stage.groups is None else stage.groups
        found = estimate(stage.right, groups, stage.floor, thresholds)
        estimates[name] = replace(found, at_most=1.0) if stage.bound else found
    decisive = "alone" if kind == "encoder" and "alone" in stages else "encoder"
    evidence = stages[decisive].evidence if decisive in stages else "answer"
    read, probed = evidence != "answer", evidence == "probe"
    bounds = frozenset(name for name, stage in stages.items() if stage.bound)
    return Findings(estimates, tests, changed, kind, decisive, read, probed, bounds)
