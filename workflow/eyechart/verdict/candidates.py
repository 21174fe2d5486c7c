"""The candidate addresses and readouts of each stage of a model."""

from collections.abc import Collection

import polars as pl

from eyechart.core.address import CONNECTOR, VISION, component, in_language_model, sort_key
from eyechart.core.errors import UserError
from eyechart.tables.readouts import MANY


def candidates(
    readouts: pl.DataFrame, encoder: Collection[str], where: str
) -> tuple[dict[str, pl.DataFrame], str]:
    """Return a table of candidates for each stage, and how their images were shown.

    The candidates of a stage are its addresses, each combined with every readout that exists at all
    stages. A readout that exists at only one stage says nothing about losses between stages.

    Parameters
    ----------
    readouts : DataFrame
        The readouts of one task, from :func:`eyechart.verdict.representations.read_readouts`.
    encoder : collection of str
        The encoder's addresses: those that the connector reads, or the configured one.
    where : str
        The start of error messages: model, dataset, task.

    Returns
    -------
    dict of DataFrame
        For each stage, ``item_id`` and one column of 0 and 1 per candidate, named by address and
        readout, in model order. The rows are the common items of the stage's candidates.
    str
        ``canvas`` if the canvas was read, otherwise ``alone``; empty if there are no readouts.

    Raises
    ------
    UserError
        If no readout exists at all stages, or if the encoder address does not exist.
    """
    if not len(readouts):
        return {}, ""
    seen = "canvas" if "canvas" in readouts["seen"].to_list() else "alone"
    here = readouts.filter(pl.col("seen") == seen)
    at = _addresses(sorted(here["address"].unique(), key=sort_key), encoder, where)
    parts = {stage: here.filter(pl.col("address").is_in(a)) for stage, a in at.items()}
    alone = readouts.filter(pl.col("seen") == "alone", pl.col("address").is_in(at["encoder"]))
    parts = {"alone": alone, **parts}
    parts = {stage: part for stage, part in parts.items() if len(part)}
    common = set.intersection(*(set(part["readout"]) for part in parts.values()))
    if not common:
        made = "; ".join(f"{k}: {', '.join(sorted(set(v['readout'])))}" for k, v in parts.items())
        raise UserError(f"{where}: no readout exists at all stages ({made}), expected one")
    return {
        s: _pivot(part.filter(pl.col("readout").is_in(common))) for s, part in parts.items()
    }, seen


def _addresses(addresses: list[str], encoder: Collection[str], where: str) -> dict[str, list[str]]:
    """Return the addresses of each stage; for a connector with blocks, its last address.

    If the connector reads several vision outputs, those with readouts are candidates. A head over
    several blocks of a stage is also a candidate.
    """
    vision, connector = (
        [a for a in addresses if component(a) == name] for name in (VISION, CONNECTOR)
    )
    language = [a for a in addresses if in_language_model(a)]
    own = [a for a in vision if a in encoder or a in MANY]
    if vision and not set(own) - set(MANY):
        raise UserError(
            f"the encoder is evaluated at {', '.join(encoder)}, but {where} was read at "
            f"{', '.join(vision)}; expected verdict.encoder to be one of these"
        )
    return {
        "encoder": own,
        "connector": connector[-1:],
        "lm_best": language,
        "lm_last": [a for a in language if a not in MANY][-1:],
    }


def _pivot(rows: pl.DataFrame) -> pl.DataFrame:
    pairs = rows.select("address", "readout").unique().rows()
    found = rows.select("item_id").unique()
    for address, readout in sorted(pairs, key=lambda pair: (sort_key(pair[0]), pair[1])):
        own = rows.filter(address=address, readout=readout)
        column = own.select("item_id", pl.col("right").alias(f"{address} {readout}"))
        found = found.join(column, on="item_id", how="inner")
    return found
