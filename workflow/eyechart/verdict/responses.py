"""What a model answered, sighted and blind, item by item."""

from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.read_responses import SIGHTED, read_answers
from eyechart.tables.response_arrays import lay_out

PAIRED = pl.Schema({"item_id": pl.String, "sighted": pl.Float64})


def read_said(
    paths: list[Path], model: str, dataset: str, items: pl.DataFrame, blind: str
) -> pl.DataFrame:
    """Read how often a model is right on each item, over the orders of its options.

    Parameters
    ----------
    paths : list of Path
        Tables of answers, one per condition; of the dataset.
    model, dataset : str
    items : DataFrame
        As ``eyechart.tables.read_responses.read_items`` gives them.
    blind : str
        The condition that stands for blindness.

    Returns
    -------
    DataFrame
        A row per item with choices and a known answer that was asked: ``item_id``, ``sighted`` and,
        where the model was asked so, ``blind`` (shares of orders) and ``changed`` (the share of
        orders in which the two answers differ). Without columns but the first two and without
        rows, where nothing was asked.

    Raises
    ------
    UserError
        If the tables do not belong together, or ``blind`` is no condition or is ``sighted``.
    """
    if blind not in CONDITIONS or blind == SIGHTED:
        others = ", ".join(c for c in CONDITIONS if c != SIGHTED)
        raise UserError(f"--settings: blind is {blind!r}, expected one of {others}")
    wanted = [path for path in paths if path.stem in (SIGHTED, blind)]
    tables, where = read_answers(wanted, model, dataset, items) if wanted else ({}, {})
    if not tables:
        return pl.DataFrame(schema=PAIRED)
    asked, said = lay_out(items, tables, where)
    truth = asked.truth[asked.item]
    found = {
        "item_id": asked.ids,
        "sighted": asked.average(said[SIGHTED].predicted == truth),
    }
    if blind in said:
        found["blind"] = asked.average(said[blind].predicted == truth)
        found["changed"] = asked.average(said[blind].predicted != said[SIGHTED].predicted)
    known = (asked.truth >= 0) & (asked.c > 0)
    return pl.DataFrame(found).filter(pl.Series(known))
