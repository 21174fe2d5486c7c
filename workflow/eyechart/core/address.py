"""Addresses: the names of layers, their components and their order.

An address is ``<component>.<block>`` (``vision.3``, ``lm.12``, ``decoder.2``),
``<component>.<name>`` (``lm.norm``), or only a component (``connector``). A module path is also an
address, which belongs to no component.
"""

from collections.abc import Iterable
from typing import NamedTuple

VISION, CONNECTOR, LM, DECODER = "vision", "connector", "lm", "decoder"
COMPONENTS = (VISION, CONNECTOR, LM, DECODER)  # in order of execution
READ = "vision.read"  # in settings, the vision outputs that the connector reads
REFERENT, CENTER, OTHER_OBJECT = REGION_SPANS = (  # spans that are items' regions
    *("referent", "referent_center", "other_object"),
)
LANGUAGE = (LM, DECODER)  # an encoder-decoder language model is `lm` and `decoder`
OTHER = "other"  # the component of a module path
COMPONENT_NAMES = {
    VISION: "vision encoder",
    CONNECTOR: "connector",
    LM: "language model",
    DECODER: "language model's decoder",
}


class AddressParts(NamedTuple):
    """The parts of an address.

    ``component`` is ``other`` for a module path. ``block`` is None unless the address is a numbered
    block (as for a norm, or a connector without blocks).
    """

    component: str
    stem: str
    block: int | None


def parse(address: str) -> AddressParts:
    """Return the parts of an address.

    >>> parse("lm.12")
    AddressParts(component='lm', stem='lm', block=12)
    >>> parse("connector").block, parse("text_model.layers.3").component
    (None, 'other')
    """
    first = address.split(".", maxsplit=1)[0]
    stem, _, last = address.rpartition(".")
    block = int(last) if last.isdigit() else None
    return AddressParts(first if first in COMPONENTS else OTHER, stem, block)


def component(address: str) -> str:
    """Return the component of an address, or ``other`` for a module path.

    >>> component("vision.3"), component("decoder.norm"), component("text_projection")
    ('vision', 'decoder', 'other')
    """
    return parse(address).component


def in_language_model(address: str) -> bool:
    """Return whether an address is in the language model, including its decoder.

    >>> in_language_model("decoder.2"), in_language_model("connector")
    (True, False)
    """
    return component(address) in LANGUAGE


def sort_key(address: str) -> tuple[int, int, int, str]:
    """Return the sort key that orders addresses as in the forward pass.

    Components come in order of execution, with module paths last. Within a component, blocks are
    sorted by number and followed by other names.

    >>> sorted(["decoder.0", "lm.norm", "lm.10", "lm.2", "connector", "vision.0"], key=sort_key)
    ['vision.0', 'connector', 'lm.2', 'lm.10', 'lm.norm', 'decoder.0']
    """
    name, _, block = parse(address)
    rank = (*COMPONENTS, OTHER).index(name)
    return (rank, 1, 0, address) if block is None else (rank, 0, block, address)


def abbreviate(addresses: Iterable[str]) -> str:
    """Return sorted addresses separated by commas, with consecutive blocks as a range.

    >>> abbreviate(["lm.norm", "vision.0", "vision.1", "vision.2", "connector"])
    'vision.0–2, connector, lm.norm'
    """
    words: list[str] = []
    run: tuple[str, int, int] | None = None  # stem, first and last number of the open run
    for address in sorted(addresses, key=sort_key):
        _, stem, block = parse(address)
        if run and block is not None and (stem, block) == (run[0], run[2] + 1):
            run = (stem, run[1], block)
            words[-1] = f"{stem}.{run[1]}–{block}"
        else:
            run = None if block is None else (stem, block, block)
            words.append(address)
    return ", ".join(words)


def located(addresses: Iterable[str]) -> str:
    """Return a phrase for where states are changed: at the connector or after blocks.

    >>> located(["lm.0", "lm.1", "connector"])
    'at the connector and after lm.0–1'
    """
    every = list(addresses)
    blocks = abbreviate(address for address in every if address != CONNECTOR)
    first = [f"at the {CONNECTOR}"] if CONNECTOR in every else []
    return " and ".join([*first, *([f"after {blocks}"] if blocks else [])])
