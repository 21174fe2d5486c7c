"""Score prompts about the same images with a cached common prefix.

The prefix, up to the last image token, is read once and its keys and values are cached. One row
then holds the rest of each prompt, followed by the branches of its choices. A prompt attends to the
prefix and itself, and a branch also to itself, each at the positions it would have alone. Greedy
answers continue in the same row, one token per answer at a time.
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
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row

ROOM = 512  # maximum number of positions with logits in memory

Line = Sequence[tuple[Script, Ids]]  # scripts of one row, each with its tokens after the prefix


@dataclass(frozen=True)
class ScriptPosition:
    """A script's position in its row."""

    # row, number: the script's row, and its index in the row
    row: int
    number: int
    end: int  # column of its prompt's last token
    starts: list[int]  # start of each branch, in columns after ``end``
    count: int  # columns from ``end`` to the end of the last branch

    def scoring_columns(self, branch: int, tokens: int) -> list[int]:
        """Return the columns, relative to ``end``, that predict the first tokens of a branch."""
        start = self.starts[branch]
        return [0, *range(start, start + tokens - 1)]


@dataclass(frozen=True)
class Bed:
    """The layout of scripts and their branches in b rows."""

    ids: list[Ids]  # list of token ids, one list per row
    owner: Tensor  # int64, shape (b, t); index of a token's script within its row; -1 at padding
    branch: Tensor  # int64, shape (b, t); 0 for the prompt, k for its branch number k
    # int64, shape (b, t); a token's position after the prefix, as if its script were alone
    offset: Tensor
    places: list[ScriptPosition]  # position of each script, in order of rows

    def mask(self, past: Tensor) -> Tensor:
        """Return the attention mask, bool (b, t, s + t), given s earlier positions (b, s)."""
        t = self.owner.shape[1]
        same = self.owner[:, :, None] == self.owner[:, None, :]
        above = (self.branch[:, :, None] == self.branch[:, None, :]) | (self.branch == 0)[:, None]
        own = same & above & torch.ones(t, t, dtype=torch.bool, device=past.device).tril()
        return torch.cat([past[:, None, :].expand(-1, t, -1), own], dim=2)


def lay(lines: Sequence[Line], device: torch.device) -> Bed:
    """Lay out scripts, one line per row."""
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
    adapter: LanguageAdapter, prefix: Prefix, index: Sequence[int], lines: Sequence[Line], most: int
) -> list[tuple[list[float], Ids]]:
    """Read lines of scripts, each after the prefix in row ``index`` of ``prefix``.

    Result: list of (log-probabilities of the choices, tokens of the greedy answer if requested) for
    all scripts, in order of lines. An answer has at most ``most`` tokens.
    """
    bed = lay(lines, adapter.device)
    scripts = [script for line in lines for script, _ in line]
    which = torch.tensor(index, device=adapter.device)
    past, after = prefix.seen[which], prefix.after[which]
    cache = select(prefix, which)
    with torch.inference_mode():
        tokens = adapter.tokens([Row(ids) for ids in bed.ids])
        hidden = adapter.read(tokens, bed.mask(past), after + bed.offset, cache)
        scored, first = score(adapter, hidden, scripts, bed)
        said: list[Ids] = [[] for _ in scripts]
        telling = [n for n, script in enumerate(scripts) if script.wants_text]
        if telling:
            told = generate(adapter, cache, past, after, bed, {n: first[n] for n in telling}, most)
            for n, ids in told.items():
                said[n] = ids
    return list(zip(scored, said, strict=True))


def score(
    adapter: LanguageAdapter, hidden: Tensor, scripts: Sequence[Script], bed: Bed
) -> tuple[list[list[float]], list[int]]:
    """Return the choices' log-probabilities and the most likely first token of each answer."""
    scored: list[list[float]] = []
    first: list[int] = []
    for few in fill(range(len(scripts)), [place.count for place in bed.places], ROOM):
        own = [(scripts[n], bed.places[n]) for n in few]
        firsts = [0, *accumulate(place.count for _, place in own)]
        rows = [place.row for _, place in own for _ in range(place.count)]
        columns = [place.end + k for _, place in own for k in range(place.count)]
        choices = [ids for script, _ in own for ids in script.choices]
        places = [
            [start + k for k in place.scoring_columns(script.branch_of(c), len(ids))]
            for (script, place), start in zip(own, firsts, strict=False)
            for c, ids in enumerate(script.choices)
        ]
        scores = adapter.score(hidden[rows, columns])  # (positions, vocabulary)
        values = iter(sums(scores, choices, places))
        scored += [[next(values) for _ in script.choices] for script, _ in own]
        first += scores[firsts[:-1]].argmax(dim=1).tolist()
    return scored, first


def generate(
    adapter: LanguageAdapter,
    cache: Any,
    past: Tensor,
    after: Tensor,
    bed: Bed,
    first: dict[int, int],
    most: int,
) -> dict[int, Ids]:
    """Generate answers greedily from their first tokens, one token per answer at a time.

    A token attends to the prefix, its own prompt and the answer so far, but not to the branches.
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
