"""Scores of choices from their stored numbers, and the selected choice; ties are drawn at random.

A response stores each choice's summed log-probability, its number of tokens and, for ``pmi``, its
log-probability without question and image. Every answer is selected in this module.
"""

from collections.abc import Sequence

from eyechart.core.errors import UserError
from eyechart.core.randomness import dice

SUM, MEAN, PMI, LETTER = "sum", "mean", "pmi", "letter"
SIMILARITY = "similarity"  # for an encoder, which compares whole texts and images
OF_TEXT = (SUM, MEAN, PMI)  # scorings of the same texts, which are comparable
TIE = 1e-5  # nats; smaller differences are ties, since float32 logits are not more precise


def score(
    scoring: str,
    log_probability: Sequence[float],
    tokens: Sequence[int],
    unconditional: Sequence[float] | None = None,
) -> list[float]:
    """Return one score per choice.

    Raise a UserError if ``pmi`` is requested without unconditional log-probabilities.

    Source of ``pmi``: domain conditional PMI, Holtzman et al., "Surface form competition" (EMNLP
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
    """Return the index of the highest score; ties, within ``TIE`` of it, are drawn at random.

    The draw depends on item and order alone, so equal scores under two conditions give equal
    answers. A tie is right as often as a guess, and each item is right or wrong, as McNemar's exact
    test requires. (Counting a tie as 1 / c right would bias that test against any guesser with c >
    2.)
    """
    best = [n for n, value in enumerate(scores) if value >= max(scores) - TIE]
    return best[0] if len(best) == 1 else dice("tie", item, order).choice(best)
