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

A connector's own blocks (BLIP-2's queries) are ``connector.N``; where a language
model has an encoder and a decoder, ``lm.N`` is the encoder and ``decoder.N`` the decoder, which has
read nothing yet but its start token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from eyechart.core.address import COMPONENTS
from eyechart.core.errors import UserError, nearest
from eyechart.models.legacy_names import modern

LOG = logging.getLogger("eyechart")

SPANS = ("cls", "image_mean", "text_mean", "last", "all_mean", "image_tokens")


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

    A pattern is an address, a module path, or a glob of either; addresses go before paths. A path
    may be that of an older transformers, as VLM-Lens has it: a warning then tells today's. One of a
    region that the model lacks altogether (``lm.*`` for an encoder) gives nothing.

    Raises
    ------
    UserError
        If a pattern names nothing in the model.
    """
    known = addresses(card)
    chosen: dict[str, Address] = {}
    for pattern in patterns:
        found = _named(card, pattern) or _named_of_old(card, pattern)
        region = pattern.split(".")[0]
        absent = region in COMPONENTS and region not in {a.region for a in known.values()}
        if not found and not absent:
            raise UserError(
                f"{card['model']}: no address or module path {pattern!r}; "
                f"{nearest(pattern, known)} (module paths: see its card)"
            )
        chosen.update({a.address: a for a in found})
    order = [*known, *raw_modules(card)]
    return [chosen[name] for name in order if name in chosen]


def _named(card: dict[str, Any], pattern: str) -> list[Address]:
    """Give what a pattern names: addresses, by name or else by module path, or other modules."""
    known = list(addresses(card).values())
    by_name = [a for a in known if fnmatchcase(a.address, pattern)]
    others = [*known, *raw_modules(card).values()]
    return by_name or [a for a in others if fnmatchcase(a.module, pattern)]


def _named_of_old(card: dict[str, Any], pattern: str) -> list[Address]:
    """Give what a pattern of names from before transformers 5 names, and say so."""
    today = modern(card["family"], pattern)
    found = _named(card, today) if today != pattern else []
    if found:
        names = ", ".join(a.address for a in found[:3]) + (", …" if len(found) > 3 else "")
        LOG.warning("%s: %r is an older name; read as %s", card["model"], pattern, names)
    return found


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
