"""Compute shares of images whose nearest colour is that of the word, font or background.

Only images with three different colours distinguish cues; images whose word names its font's colour
are the congruent control. Axes: s settings (a method with n components), m images.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.statistics.testing import mcnemar_exact
from eyechart.tables.concepts import BACKGROUND, CONGRUENT, FONT, OTHER, SHARES, WORD

Row = dict[str, Any]


@dataclass(frozen=True)
class Hits:
    """Whether each image's nearest colour follows each cue, for every setting."""

    # float, shape (s, 4, m_d); for images whose three colours differ: word, font, background,
    # other, which sum to 1
    shares: np.ndarray
    # float, shape (s, m_c); for images whose word and font have the same colour and the background
    # another
    congruent: np.ndarray
    # groups, congruent_groups: str, shapes (m_d,) and (m_c,)
    groups: np.ndarray
    congruent_groups: np.ndarray


def find_hits(found: np.ndarray, cues: np.ndarray, groups: np.ndarray) -> Hits:
    """Return which cues the nearest colours follow.

    Parameters
    ----------
    found : int, shape (s, m)
    cues : int, shape (3, m); word, font, background
    groups : str, shape (m,)
    """
    word, font, background = cues
    distinct = (word != font) & (font != background) & (word != background)
    same = (word == font) & (font != background)
    three = found[:, None, distinct] == cues[:, distinct]  # (s, 3, m_d)
    other = ~three.any(axis=1, keepdims=True)
    return Hits(
        np.concatenate([three, other], axis=1).astype(float),
        (found[:, same] == word[same]).astype(float),
        groups[distinct],
        groups[same],
    )


def pool(parts: list[Hits]) -> Hits:
    """Pool results for the same images over several prompts; groups stay the same."""
    return Hits(
        np.concatenate([part.shares for part in parts], axis=2),
        np.concatenate([part.congruent for part in parts], axis=1),
        np.concatenate([part.groups for part in parts]),
        np.concatenate([part.congruent_groups for part in parts]),
    )


def cue_rows(hits: Hits, settings: list[Row], k: int, draws: int, rng: Generator) -> list[Row]:
    """Return one row per setting and cue, with an interval, and a test of the leading cue.

    Parameters
    ----------
    settings : list of dict, length s; the other columns of each row
    k : the number of colours; a random colour follows a cue with probability 1 / k
    draws : number of bootstrap draws over groups
    """
    s, c, m = hits.shares.shape
    limits = bootstrap_interval(hits.shares.reshape(s * c, m), hits.groups, draws, rng)
    limits = limits.reshape(s, c, 2)
    facts = {"n": m, "groups": len(np.unique(hits.groups))}
    chance = {WORD: 1 / k, FONT: 1 / k, BACKGROUND: 1 / k, OTHER: (k - 3) / k}
    rows = []
    for i, setting in enumerate(settings):
        values = hits.shares[i].mean(axis=1)
        own = [
            {**setting, "cue": cue, **_value(values[j], limits[i, j], chance[cue]), **facts}
            for j, cue in enumerate(SHARES)
        ]
        _test(own, hits.shares[i], hits.groups)
        rows += own
    return rows + _congruent(hits, settings, k, draws, rng)


def _test(rows: list[Row], shares: np.ndarray, groups: np.ndarray) -> None:
    """Add to the leading cue's row McNemar's test, by group, against the next cue."""
    lead, following = np.argsort(-shares[:3].mean(axis=1), kind="stable")[:2]
    rows[lead]["against"] = rows[following]["cue"]
    rows[lead]["difference"] = rows[lead]["share"] - rows[following]["share"]
    rows[lead]["p"] = mcnemar_exact(shares[lead], shares[following], groups)


def _congruent(hits: Hits, settings: list[Row], k: int, draws: int, rng: Generator) -> list[Row]:
    m = hits.congruent.shape[1]
    if not m:
        return []
    limits = bootstrap_interval(hits.congruent, hits.congruent_groups, draws, rng)
    facts = {"cue": CONGRUENT, "n": m, "groups": len(np.unique(hits.congruent_groups))}
    values = hits.congruent.mean(axis=1)
    return [
        {**setting, **facts, **_value(values[i], limits[i], 1 / k)}
        for i, setting in enumerate(settings)
    ]


def _value(share: float, limits: np.ndarray, chance: float) -> Row:
    low, high = limits
    return {"share": float(share), "ci_low": float(low), "ci_high": float(high), "chance": chance}
