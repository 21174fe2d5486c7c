"""Addresses and spans of a model, resolved on its card; knows nothing of torch.

An address names the same place in every model: ``vision.N`` (output of encoder block N, from 0),
``connector`` (what the encoder hands on), ``lm.N`` (output of language-model block N), ``lm.norm``
(after the last norm). A module's own path, as the card lists it, is an address too.

A span names the tokens that are pooled there:

``cls``           the encoder's class token, or the one vector of a pooled output
``image_mean``    mean over image tokens: an encoder's patches without the class token; in the
                  language model the positions that hold the picture
``text_mean``     mean over the text after the last image token: the question, the end of the
                  user's turn and the opening of the answer (where text comes first: all text)
``last``          the last token that is no pad: from here the answer would go on
``all_mean``      mean over all tokens that are no pads, system text and picture included
``image_tokens``  the image tokens, each kept
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from eyechart.errors import UserError, nearest

SPANS = ("cls", "image_mean", "text_mean", "last", "all_mean", "image_tokens")
REGIONS = ("vision", "connector", "lm")


@dataclass(frozen=True)
class Address:
    """One place in one model; ``scopes`` gives the scope of each span that it has."""

    address: str
    module: str
    region: str
    width: int
    scopes: dict[str, str]


@dataclass(frozen=True)
class Column:
    """One column of an activation file: a span at an address."""

    address: Address
    span: str

    @property
    def name(self) -> str:
        """The column's name, ``<address>/<span>``."""
        return f"{self.address.address}/{self.span}"

    @property
    def scope(self) -> str:
        """What the column depends on: ``image`` or ``item``."""
        return self.address.scopes[self.span]


def resolve(card: dict[str, Any], patterns: Iterable[str]) -> list[Address]:
    """Give the addresses that any pattern names, in the card's order.

    A pattern is an address, a module path, or a glob of either; addresses go before paths. One of a
    region that the model lacks altogether (``lm.*`` for an encoder) gives nothing.

    Raises
    ------
    UserError
        If a pattern names nothing in the model.
    """
    known = addresses(card)
    chosen: dict[str, Address] = {}
    for pattern in patterns:
        found = [a for a in known.values() if fnmatchcase(a.address, pattern)]
        if not found:
            found = [a for a in raw_modules(card).values() if fnmatchcase(a.address, pattern)]
        region = pattern.split(".")[0]
        absent = region in REGIONS and region not in {a.region for a in known.values()}
        if not found and not absent:
            raise UserError(
                f"{card['model']}: no address or module path {pattern!r}; "
                f"{nearest(pattern, known)} (module paths: see its card)"
            )
        chosen.update({a.address: a for a in found})
    order = [*known, *raw_modules(card)]
    return [chosen[name] for name in order if name in chosen]


def columns(
    card: dict[str, Any], patterns: Iterable[str], spans: Iterable[str], scope: str
) -> list[Column]:
    """Give the columns of one scope: each address with each span asked for that it has.

    Raises
    ------
    UserError
        If an address or span is unknown, or no address has any of the spans.
    """
    wanted = list(spans)
    for span in wanted:
        if span not in SPANS:
            raise UserError(f"unknown span {span!r}; {nearest(span, SPANS)}")
    every = [
        Column(address, span)
        for address in resolve(card, patterns)
        for span in SPANS
        if span in wanted and span in address.scopes
    ]
    if not every:
        raise UserError(f"{card['model']}: no address asked for has any of the spans {wanted}")
    return [column for column in every if column.scope == scope]


def addresses(card: dict[str, Any]) -> dict[str, Address]:
    """Give a card's addresses by name, in order."""
    return {
        a["address"]: Address(a["address"], a["module"], a["region"], a["width"], a["scopes"])
        for a in card["addresses"]
    }


def raw_modules(card: dict[str, Any]) -> dict[str, Address]:
    """Give the modules that a card lists by path; each has the spans of its region."""
    scopes = {a["region"]: a["scopes"] for a in card["addresses"]}
    return {
        path: Address(path, path, m["region"], m["width"], scopes[m["region"]])
        for path, m in card["modules"].items()
    }
