"""Rows of edited answers, compared with the unedited answer and the one on the donor's images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from eyechart.core.errors import UserError
from eyechart.interventions.asked import CONTROL, DONOR, OWN, AskedItem
from eyechart.interventions.batch import Batch, Scores
from eyechart.interventions.edit import CONTROLS, Edit
from eyechart.tables.choice_scoring import choose, score
from eyechart.tables.interventions import NONE, SWAP

Row = dict[str, Any]


class Answers:
    """The unedited answers of a batch, and the rows of edited answers."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        whose = [w for w in (DONOR, CONTROL) if any(w in one.donors for one in batch.asked)]
        self.scores: dict[str, Scores] = {w: batch.answers(w) for w in (OWN, *whose)}
        self.said = {w: self._predict(found) for w, found in self.scores.items()}

    def unedited(self) -> Iterator[Row]:
        """Yield the unedited rows on own images and on donors' images."""
        yield from self.edited(Edit(NONE, Batch.answers), self.scores[OWN])
        for whose in list(self.scores)[1:]:
            edit = Edit(SWAP, Batch.answers, control=CONTROLS[whose], donor=whose)
            yield from self.edited(edit, self.scores[whose])

    def edited(self, edit: Edit, scores: Scores) -> Iterator[Row]:
        """Yield one row per item that an edit applies to."""
        columns = ("intervention", "address", "direction", "target", "concept", "control", "draw")
        site = {name: getattr(edit, name) for name in columns}
        site["until"] = edit.until or edit.address
        said = self._predict(scores)
        for n, one in enumerate(self.batch.asked):
            if not edit.applies(one):
                continue
            item, own = one.item, self.said[OWN][n]
            row = {
                **{name: item[name] for name in ("item_id", "task", "group")},
                **site,
                "donor_id": one.donors.get(edit.donor),
                "log_probability": scores[n],
                "predicted": item["choices"][said[n]],
                "right": item["choices"][said[n]] == item["answer"],
                "moved": said[n] != own,
            }
            yield row | self._beside_donor(n, edit.donor, scores[n], said[n])

    def _beside_donor(self, n: int, donor: str, scores: list[float], said: int) -> Row:
        """Return the columns that compare an answer with the answer on the donor's images."""
        if not donor:
            return {"to_donor": None, "recovered": None}
        own, other = self.said[OWN][n], self.said[donor][n]
        lead = [s[own] - s[other] for s in (self.scores[OWN][n], self.scores[donor][n], scores)]
        way = lead[0] - lead[1]
        return {
            "to_donor": said == other and said != own,
            "recovered": (lead[0] - lead[2]) / way if own != other and way else None,
        }

    def _predict(self, scores: Scores) -> list[int]:
        return [self._choose(one, s) for one, s in zip(self.batch.asked, scores, strict=True)]

    def _choose(self, one: AskedItem, scores: list[float]) -> int:
        name = str(one.item["item_id"])
        if not all(map(math.isfinite, scores)):
            raise UserError(
                f"item {name!r}: a score is NaN or infinite; try loading.dtype: float32"
            )
        tokens = [len(ids) for ids in self.batch.reader.script(one, OWN).choices]
        return choose(score(self.batch.reader.scoring, scores, tokens), name, 0)
