"""Prompts about the same pictures, read on from where their common beginning ends.

The beginning, up to the last image token, is read once and its keys and values are kept. Behind it
stand, in one row, the prompts' own tokens, each followed by the branches of its choices: a prompt
sees the beginning and itself, a branch those and itself, each at the positions that it would have
alone. Greedy answers go on in the same row, a token of each at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from eyechart.inference.choice_tokens import Ids, Script, sums
from eyechart.inference.packing import fill
from eyechart.inference.passes import Prefix, select
from eyechart.models.families.language import LanguageAdapter, Row

ROOM = 512  # places whose scores of all words are held at once

Line = Sequence[tuple[Script, Ids]]  # scripts of one row, and what each reads behind the beginning


@dataclass(frozen=True)
class ScriptPosition:
    """Where a script stands.

    Attributes
    ----------
    row, number : its row, and its number there
    end : the column of its prompt's last token
    starts : how many columns behind ``end`` each branch begins
    count : how many columns there are from ``end`` to the end of the last branch
    """

    row: int
    number: int
    end: int
    starts: list[int]
    count: int

    def foretell(self, branch: int, tokens: int) -> list[int]:
        """Give the columns behind ``end`` that foretell so many tokens along a branch."""
        start = self.starts[branch]
        return [0, *range(start, start + tokens - 1)]


@dataclass(frozen=True)
class Bed:
    """Where scripts and their branches stand in b rows.

    Attributes
    ----------
    ids : list of token ids, one list per row
    owner : int64, shape (b, t)
        The number of a token's script within its row; -1 at pads.
    branch : int64, shape (b, t)
        0 for the prompt, k for its k-th branch.
    offset : int64, shape (b, t)
        A token's place behind the beginning, were the script alone.
    places : of each script, row after row
    """

    ids: list[Ids]
    owner: Tensor
    branch: Tensor
    offset: Tensor
    places: list[ScriptPosition]

    def mask(self, past: Tensor) -> Tensor:
        """Give which positions each token sees, bool (b, t, s + t), after s earlier ones (b, s)."""
        t = self.owner.shape[1]
        same = self.owner[:, :, None] == self.owner[:, None, :]
        above = (self.branch[:, :, None] == self.branch[:, None, :]) | (self.branch == 0)[:, None]
        own = same & above & torch.ones(t, t, dtype=torch.bool, device=past.device).tril()
        return torch.cat([past[:, None, :].expand(-1, t, -1), own], dim=2)


def lay(lines: Sequence[Line], device: torch.device) -> Bed:
    """Lay scripts out, line by line."""
    ids: list[Ids] = []
    tables: list[list[tuple[int, int, int]]] = []  # owner, branch, offset of each token of a line
    places = []
    for b, line in enumerate(lines):
        row: Ids = []
        table: list[tuple[int, int, int]] = []
        for n, (script, rest) in enumerate(line):
            row += rest
            table += [(n, 0, place) for place in range(len(rest))]
            end, starts = len(row) - 1, []
            for k, branch in enumerate(script.branches, start=1):
                starts.append(len(row) - end)
                row += branch
                table += [(n, k, len(rest) + place) for place in range(len(branch))]
            places.append(ScriptPosition(b, n, end, starts, len(row) - end))
        ids.append(row)
        tables.append(table)
    padded = pad_sequence([torch.tensor(t) for t in tables], batch_first=True, padding_value=-1)
    laid = padded.to(device)
    return Bed(ids, laid[..., 0], laid[..., 1], laid[..., 2].clamp(min=0), places)


def read(
    adapter: LanguageAdapter,
    prefix: Prefix,
    index: Sequence[int],
    lines: Sequence[Line],
    most: int,
) -> list[tuple[list[float], Ids]]:
    """Read lines of scripts, each after the beginning in row ``index`` of the batch before.

    Returns
    -------
    list of (log-probabilities of the choices, tokens of the greedy answer if it is wanted)
        Of all scripts, line after line; an answer has ``most`` tokens at most.
    """
    bed = lay(lines, adapter.device)
    scripts = [script for line in lines for script, _ in line]
    which = torch.tensor(index, device=adapter.device)
    past, after = prefix.valid[which], prefix.after[which]
    cache = select(prefix, which)
    with torch.inference_mode():
        tokens = adapter.tokens([Row(ids) for ids in bed.ids])
        hidden = adapter.read(tokens, bed.mask(past), after + bed.offset, cache)
        scored, first = score(adapter, hidden, scripts, bed)
        said: list[Ids] = [[] for _ in scripts]
        telling = [n for n, script in enumerate(scripts) if script.tell]
        if telling:
            told = go_on(adapter, cache, past, after, bed, {n: first[n] for n in telling}, most)
            for n, ids in told.items():
                said[n] = ids
    return list(zip(scored, said, strict=True))


def score(
    adapter: LanguageAdapter, hidden: Tensor, scripts: Sequence[Script], bed: Bed
) -> tuple[list[list[float]], list[int]]:
    """Give the choices' log-probabilities, and the likeliest first token of each answer."""
    scored: list[list[float]] = []
    first: list[int] = []
    for few in fill(range(len(scripts)), [place.count for place in bed.places], ROOM):
        own = [(scripts[n], bed.places[n]) for n in few]
        firsts = [0, *accumulate(place.count for _, place in own)]
        rows = [place.row for _, place in own for _ in range(place.count)]
        columns = [place.end + k for _, place in own for k in range(place.count)]
        choices = [ids for script, _ in own for ids in script.choices]
        places = [
            [start + k for k in place.foretell(script.branch_of(c), len(ids))]
            for (script, place), start in zip(own, firsts, strict=False)
            for c, ids in enumerate(script.choices)
        ]
        scores = adapter.score(hidden[rows, columns])  # (places, words)
        values = iter(sums(scores, choices, places))
        scored += [[next(values) for _ in script.choices] for script, _ in own]
        first += scores[firsts[:-1]].argmax(dim=1).tolist()
    return scored, first


def go_on(
    adapter: LanguageAdapter,
    cache: Any,
    past: Tensor,
    after: Tensor,
    bed: Bed,
    first: dict[int, int],
    most: int,
) -> dict[int, Ids]:
    """Go on greedily from the first token of some answers, each row's a token at a time.

    A token sees the beginning, its own prompt, and what was said to it; not the branches.
    """
    ends, said = adapter.ends(), {n: [i] for n, i in first.items()}
    going: list[list[int]] = [[] for _ in bed.ids]  # by row
    for n in first:
        going[bed.places[n].row].append(n)
    slots = max(map(len, going))
    numbers = [torch.tensor([bed.places[n].number for n in row]) for row in going]
    slot = pad_sequence(numbers, batch_first=True, padding_value=-2).to(past.device)  # (b, slots)
    own = (bed.owner[:, None] == slot[:, :, None]) & (bed.branch == 0)[:, None]  # (b, slots, t)
    sees = torch.cat([past[:, None].expand(-1, slots, -1), own], dim=2)
    itself = torch.eye(slots, dtype=torch.bool, device=past.device).expand(len(going), -1, -1)
    place = after + own.sum(dim=2)
    for step in range(most - 1):
        if all(ends.intersection(ids) for ids in said.values()):
            break
        new = [Row([said[n][-1] for n in row] + [0] * (slots - len(row))) for row in going]
        sees = torch.cat([sees, itself], dim=2)
        hidden = adapter.read(adapter.tokens(new), sees, place + step, cache)
        likeliest = adapter.score(hidden.flatten(0, 1)).argmax(dim=1).view(len(going), -1)
        for row, found in zip(going, likeliest.tolist(), strict=True):
            for n, i in zip(row, found, strict=False):
                said[n].append(i)
    return said
