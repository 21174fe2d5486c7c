"""A model's sighted and blind responses, scored as right or wrong per item."""

from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.read_responses import SIGHTED, read_answers
from eyechart.tables.response_arrays import lay_out

PAIRED = pl.Schema({"item_id": pl.String, "sighted": pl.Float64})


def read_responses(
    paths: list[Path], model: str, dataset: str, items: pl.DataFrame, blind: str
) -> pl.DataFrame:
    """Load the share of choice orders in which a model is right, per item.

    Parameters
    ----------
    paths : list of Path
        Response tables of the dataset, one per condition.
    model, dataset : str
    items : DataFrame
        The items, from ``eyechart.tables.read_responses.read_items``.
    blind : str
        The condition that counts as blind.

    Returns
    -------
    DataFrame
        One row per answered item with choices and a known answer: ``item_id``, ``sighted`` and,
        with blind responses, ``blind`` (shares of orders) and ``changed`` (the share of orders in
        which the two responses differ). Without responses, there are no rows and only the first two
        columns.

    Raises
    ------
    UserError
        If the tables do not match one another, or if ``blind`` is ``sighted`` or not a condition.
    """
    if blind not in CONDITIONS or blind == SIGHTED:
        others = ", ".join(c for c in CONDITIONS if c != SIGHTED)
        raise UserError(f"--settings: blind is {blind!r}, expected one of {others}")
    wanted = [path for path in paths if path.stem in (SIGHTED, blind)]
    tables, where = read_answers(wanted, model, dataset, items) if wanted else ({}, {})
    if not tables:
        return pl.DataFrame(schema=PAIRED)
    answered, responses = lay_out(items, tables, where)
    truth = answered.truth[answered.item]
    found = {
        "item_id": answered.ids,
        "sighted": answered.average(responses[SIGHTED].predicted == truth),
    }
    if blind in responses:
        found["blind"] = answered.average(responses[blind].predicted == truth)
        found["changed"] = answered.average(
            responses[blind].predicted != responses[SIGHTED].predicted
        )
    known = (answered.truth >= 0) & (answered.c > 0)
    return pl.DataFrame(found).filter(pl.Series(known))
