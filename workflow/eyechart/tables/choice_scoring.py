"""Scores of choices from their stored numbers, and the choice that they give; ties are drawn.

A response stores the sum of a choice's log-probabilities, its tokens and, where ``pmi`` is asked,
its log-probability without question and image. Every answer is taken here.
"""

from collections.abc import Sequence

from eyechart.core.errors import UserError
from eyechart.core.randomness import dice

SUM, MEAN, PMI, LETTER = "sum", "mean", "pmi", "letter"
SIMILARITY = "similarity"  # of an encoder, which compares whole texts and images
OF_TEXT = (SUM, MEAN, PMI)  # scorings of the same texts, which can be compared
TIE = 1e-5  # nats; scores that differ by less are equal: float32 logits are no finer


def score(
    scoring: str,
    log_probability: Sequence[float],
    tokens: Sequence[int],
    unconditional: Sequence[float] | None = None,
) -> list[float]:
    """Return a score per choice.

    Raise a UserError if ``pmi`` lacks the unconditional log-probabilities.

    Source of ``pmi``: domain-conditional PMI, Holtzman et al., "Surface form competition" (EMNLP
    2021), section 3. Source of ``mean``: Brown et al. (NeurIPS 2020), section 2.4.

    Parameters
    ----------
    scoring : ``mean``: log-probability per token. ``pmi``: log-probability minus the one without
        question and image. Any other: the log-probability
    log_probability, tokens, unconditional : one number per choice
    """
    if scoring == MEAN:
        return [value / count for value, count in zip(log_probability, tokens, strict=True)]
    if scoring != PMI:
        return list(log_probability)
    if unconditional is None:
        raise UserError("scoring: 'pmi', but the responses have no unconditional log-probability")
    return [one - other for one, other in zip(log_probability, unconditional, strict=True)]


def choose(scores: Sequence[float], item: str, order: int) -> int:
    """Return the index of the highest score; one of those within ``TIE`` of it is drawn.

    The draw depends on item and order alone. So a tie is right as often as a guess, an item counts
    as right or wrong, as McNemar's exact test wants it, and equal scores under two conditions give
    equal answers. (A share of 1 / c per tie would vote against every guesser with c > 2.)
    """
    best = [n for n, value in enumerate(scores) if value >= max(scores) - TIE]
    return best[0] if len(best) == 1 else dice("tie", item, order).choice(best)
