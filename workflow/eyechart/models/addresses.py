"""Addresses and spans of a model, resolved from its card, without torch.

An address names the same layer in every model: ``vision.N`` (output of encoder block N, from 0),
``connector`` (the connector's output), ``lm.N`` (output of language-model block N), ``lm.norm``
(output of the final norm). A module path listed in the card is also an address.

``vision.read`` stands for the vision outputs that the connector reads, as listed in the card.

A span names the tokens that are pooled at an address:

``cls``           the encoder's class token, or the one vector of a pooled output
``image_mean``    mean over image tokens: an encoder's patches without the class token; in the
                  language model the positions of the image
``text_mean``     mean over the text after the last image token: the question, the end of the
                  user's turn and the start of the answer (where text comes first: all text)
``last``          the last token that is not padding, after which the answer would start
``all_mean``      mean over all tokens that are not padding, system text and image included
``referent``      mean over the image tokens in the region that the item is about, by overlap with a
                  box, bilinear at a point; only where tokens have a position on the image
``referent_center``  bilinear at the centre of that region, so that its size and shape reveal
                  nothing
``other_object``  the same at another object of the same image: the control of ``referent``
``image_tokens``  every image token, not pooled

Blocks inside a connector (BLIP-2's Q-Former) are ``connector.N``. If a language model has an
encoder and a decoder, ``lm.N`` is the encoder and ``decoder.N`` the decoder, which has read only
its start token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from eyechart.core.address import COMPONENTS, READ, REGION_SPANS
from eyechart.core.errors import UserError, nearest
from eyechart.models.legacy_names import modern

LOG = logging.getLogger("eyechart")

SPANS = ("cls", "image_mean", "text_mean", "last", "all_mean", *REGION_SPANS, "image_tokens")


@dataclass(frozen=True)
class Address:
    """An address of one model; ``scopes`` maps each of its spans to a scope."""

    address: str
    module: str
    component: str
    width: int
    scopes: dict[str, str]


@dataclass(frozen=True)
class Column:
    """A column of an activation file: a span at an address."""

    address: Address
    span: str

    @property
    def name(self) -> str:
        """Name of the column, ``<address>/<span>``."""
        return f"{self.address.address}/{self.span}"

    @property
    def regional(self) -> bool:
        """Whether the column is pooled over a region of each item."""
        return self.span in REGION_SPANS

    @property
    def scope(self) -> str:
        """What the column depends on: ``image`` or ``item``."""
        return self.address.scopes[self.span]


def resolve(card: dict[str, Any], patterns: Iterable[str]) -> list[Address]:
    """Return the addresses that any pattern matches, in the card's order.

    A pattern is an address, a module path, or a glob of either; addresses are tried before paths. A
    path may use the names of an older transformers, as in VLM-Lens; the current address is then
    logged. A pattern for a component that the model lacks (``lm.*`` for an encoder) matches
    nothing. Raise a UserError if any other pattern matches nothing.
    """
    known = addresses(card)
    chosen: dict[str, Address] = {}
    for pattern in patterns:
        found = _named(card, pattern) or _named_of_old(card, pattern)
        component = pattern.split(".")[0]
        absent = component in COMPONENTS and component not in {a.component for a in known.values()}
        if not found and not absent:
            raise UserError(
                f"{card['model']}: no address or module path {pattern!r}; "
                f"{nearest(pattern, known)} (module paths: see its card)"
            )
        chosen.update({a.address: a for a in found})
    order = [*known, *raw_modules(card)]
    return [chosen[name] for name in order if name in chosen]


def _named(card: dict[str, Any], pattern: str) -> list[Address]:
    """Return the addresses that a pattern matches by name, or by module path if no name matches."""
    known = list(addresses(card).values())
    if pattern == READ:
        return [a for a in known if a.address in card["reads"]]
    by_name = [a for a in known if fnmatchcase(a.address, pattern)]
    others = [*known, *raw_modules(card).values()]
    return by_name or [a for a in others if fnmatchcase(a.module, pattern)]


def _named_of_old(card: dict[str, Any], pattern: str) -> list[Address]:
    """Resolve a pattern of module paths used before transformers 5, and log a warning."""
    today = modern(card["family"], pattern)
    found = _named(card, today) if today != pattern else []
    if found:
        names = ", ".join(a.address for a in found[:3]) + (", …" if len(found) > 3 else "")
        LOG.warning("%s: %r is an older name; read as %s", card["model"], pattern, names)
    return found


def columns(
    card: dict[str, Any], patterns: Iterable[str], spans: Iterable[str], scope: str
) -> list[Column]:
    """Return the columns of one scope: every requested span of every matching address.

    Raise a UserError if an address or span is unknown, or no address has any of the spans.
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
        raise UserError(
            f"{card['model']}: none of the requested addresses has any of the spans {wanted}"
        )
    return [column for column in every if column.scope == scope]


def addresses(card: dict[str, Any]) -> dict[str, Address]:
    """Return a card's addresses by name, in order."""
    return {
        a["address"]: Address(a["address"], a["module"], a["region"], a["width"], a["scopes"])
        for a in card["addresses"]
    }


def raw_modules(card: dict[str, Any]) -> dict[str, Address]:
    """Return the modules listed by path in a card; each has the spans of its component."""
    scopes = {a["region"]: a["scopes"] for a in card["addresses"]}
    return {
        path: Address(path, path, m["region"], m["width"], scopes[m["region"]])
        for path, m in card["modules"].items()
    }
