"""The steps at which a skill loses information between the image and the answer."""

from __future__ import annotations

from eyechart.tables.verdict import COMPARISONS
from eyechart.tables.verdict_rules import LOSSES, Loss, Rule, VerdictThresholds
from eyechart.verdict.evidence import Findings

WAY = ("encoder", "connector", "lm_best", "position_best", "sighted")


def steps(found: Findings) -> list[Loss]:
    """Return the steps at which a loss could be measured.

    There is no loss to a stage at which a low value is not evidence. A loss of image tokens from
    block to block matters only if the answer position does not have the information, so that step
    requires the answer position. If the answer position was read, the step to the answer starts
    from it.
    """
    placed = "position_best" in found.estimates
    return [
        loss
        for loss in LOSSES
        if loss.test in found.tests
        and COMPARISONS[loss.test][1] not in found.bounds
        and (placed or loss.test != "lm_kept")
        and not (placed and loss.test == "lm_sighted")
    ]


def net(found: Findings, loss: Loss) -> float:
    """Return the accuracy that is lost at a step and not recovered at any later stage."""
    at, first = found.estimates, COMPARISONS[loss.test][0]
    later = [at[first].value - at[stage].value for stage in loss.later if stage in at]
    return min([found.tests[loss.test].difference, *later])


def found_again(found: Findings) -> bool:
    """Return whether later stages recover two thirds of the connector's loss."""
    loss = next((one for one in steps(found) if one.test == "encoder_connector"), None)
    return loss is not None and net(found, loss) < found.tests[loss.test].difference / 3


def lost(found: Findings, loss: Loss, thresholds: VerdictThresholds) -> float:
    """Return the accuracy that is shown to be lost at a step; 0 if no loss is shown.

    The first stage must hold the answer, and every later stage compared with it must be shown to be
    below it. A loss of image tokens from block to block is not a loss in retrieval.
    """
    first, _ = pair = COMPARISONS[loss.test]
    pairs = {pair, *((first, stage) for stage in loss.later)}
    below = [
        thresholds.above(test) for name, test in found.tests.items() if COMPARISONS[name] in pairs
    ]
    if not (thresholds.has(found.estimates[first]) and all(below)):
        return 0.0
    own = net(found, loss)
    if loss.test == "lm_position" and thresholds.above(found.tests.get("lm_kept")):
        own -= max(0.0, net(found, next(one for one in LOSSES if one.test == "lm_kept")))
    return own if own >= thresholds.margin else 0.0


def shown_losses(found: Findings, thresholds: VerdictThresholds) -> dict[str, float]:
    """Return the size of every loss that is shown, by the step's name."""
    every = {loss.name: lost(found, loss, thresholds) for loss in steps(found)}
    return {name: value for name, value in every.items() if value > 0}


def all_lost_in_connector(found: Findings, thresholds: VerdictThresholds) -> bool:
    """Return whether the connector is shown to lose all information, without later recovery.

    Information that a probe still reads after it has other sources, such as an object's position.
    """
    return (
        "lost in the connector" in shown_losses(found, thresholds)
        and thresholds.lacks(found.estimates.get("connector"))
        and not found_again(found)
    )


def most_lost(found: Findings, thresholds: VerdictThresholds) -> str | None:
    """Return the name of the step with the largest shown loss, or None."""
    shown = shown_losses(found, thresholds)
    return max(shown, key=lambda name: shown[name]) if shown else None


def loss_of(found: Findings, rule: Rule, thresholds: VerdictThresholds) -> Loss:
    """Return the loss named by a rule; if its class has several, the largest shown loss."""
    shown = shown_losses(found, thresholds)
    own = [loss for loss in LOSSES if loss.verdict == rule.verdict]
    return max(own, key=lambda loss: shown.get(loss.name, 0.0))


def missing_from_the_start(found: Findings) -> float:
    """Return how far the best stage's accuracy is below 1 (always right).

    Return 0 if the encoder was not probed, or if its accuracy is at least halfway between its floor
    and 1.
    """
    encoder = found.estimates.get("encoder")
    if not found.probed or encoder is None or encoder.value >= (1 + encoder.floor) / 2:
        return 0.0
    return 1 - max(found.estimates[s].value for s in WAY if s in found.estimates)


def largest_drop(found: Findings) -> tuple[str, str, float] | None:
    """Return the neighbouring stages with the largest drop, and the drop; None if there is none.

    The drop need not be significant: it shows where a skill with class *used* loses most.
    """
    drops = [(*COMPARISONS[loss.test], net(found, loss)) for loss in steps(found)]
    return max((drop for drop in drops if drop[2] > 0), key=lambda drop: drop[2], default=None)
