"""Sentences on the results of a skill's interventions, with their numbers."""

from collections.abc import Sequence

from eyechart.core.address import located
from eyechart.tables.verdict import REFUTED
from eyechart.tables.verdict_rules import VerdictThresholds
from eyechart.verdict.causal import CausalEvidence, Effect
from eyechart.verdict.sentences import share

CAUSES = {
    "inert": "Inert: no answer depends on the image tokens",
    "unspecific": "Unspecific: the answer depends on the image, but not on the tested property",
    "said_otherwise": "Said otherwise: the answer follows the image, but is another word",
    "misread": "Misread: the answer follows the image, but is wrong too often",
}


def causal_text(
    found: CausalEvidence, cause: str | None, evidence: str, thresholds: VerdictThresholds
) -> str:
    """Return the text about a skill's interventions: cause, where the concept is read, horizon."""
    first = [CAUSES[cause]] if cause else []
    parts = [*first, *_concept(found, thresholds), *_image(found, thresholds)]
    end = "This contradicts the class." if evidence == REFUTED else ""
    return " ".join([*(f"{part}." for part in parts), *([end] if end else [])])


def _concept(found: CausalEvidence, thresholds: VerdictThresholds) -> list[str]:
    """Return the text about where the concept is decodable, and where the answer uses it."""
    held, used, unused = (of(thresholds) for of in (found.held, found.used, found.unused))
    if not found.erased:
        return []
    parts = [f"Held {_at(held, found)}{_decoded(found, held)}" if held else "Nowhere decodable"]
    if used:
        only = "only " if len(used) == 1 else ""
        effects = [found.erased[address].effect for address in used]
        parts.append(f"read {only}{_at(used, found)}: erasing it there leaves {_against(effects)}")
    if unused:
        parts.append(
            f"erasing it {_at(unused, found)} changes nothing (within ±{share(thresholds.margin)})"
        )
    rest = [address for address in held if address not in (*used, *unused)]
    if rest:
        parts.append(f"whether it is read {_at(rest, found)} is not shown")
    return ["; ".join(parts)]


def _image(found: CausalEvidence, thresholds: VerdictThresholds) -> list[str]:
    """Return the text about the addresses at which patched image tokens change the answer."""
    entry, moved, horizon = found.entry, found.moved, found.horizon(thresholds)
    if entry is None:
        return []
    if moved is not None and moved.most < thresholds.margin:
        return [f"With another image's tokens {share(moved.value)} of the answers change"
                f" (n = {moved.n} in {moved.groups} groups)"]  # fmt: skip
    text = (
        f"With another image's tokens {share(entry.value)} of the answers become that image's, "
        f"{share(entry.control)} if its answer is the same, {_difference(entry)}"
    )
    if horizon is None:
        return [text]
    if horizon == list(found.image)[-1]:
        return [text, f"They do so up to the last address, {horizon}"]
    after = (
        f"changes less than {share(thresholds.margin)} of the answers"
        if found.still(horizon, thresholds)
        else "is shown neither to change them nor to leave them unchanged"
    )
    return [text, f"The last address at which they do is {horizon}; a later exchange {after}"]


def _at(addresses: Sequence[str], found: CausalEvidence) -> str:
    """Return the text that lists the addresses of a change."""
    if len(addresses) > 1 and set(addresses) == set(found.erased):
        return "at every address"
    return located(addresses)


def _decoded(found: CausalEvidence, held: Sequence[str]) -> str:
    values = [found.erased[address].before for address in held]
    majority = max(found.erased[address].majority for address in held)
    held_by = f"decodable from {_range(values)} of its tokens"
    return f" ({held_by}, the most common answer {share(majority)})"


def _against(effects: Sequence[Effect]) -> str:
    value, control = (
        _range([getattr(one, name) for one in effects]) for name in ("value", "control")
    )
    more = f", {_difference(effects[0])}" if len(effects) == 1 else ""
    return f"{value} right, the control {control}{more}"


def _difference(one: Effect) -> str:
    test = one.test
    return (
        f"difference {share(test.difference, sign=True)} [{share(test.low, sign=True)} to "
        f"{share(test.high, sign=True)}], n = {one.n} in {one.groups} groups"
    )


def _range(values: Sequence[float]) -> str:
    low, high = share(min(values)), share(max(values))
    return low if low == high else f"{low} to {high}"
