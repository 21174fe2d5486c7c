"""Sentences per model: the classes of its skills, and the items that would decide the others."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from eyechart.report.labels import listed
from eyechart.report.sections.verdict.classes import CONTRADICTED, KEPT, LOOKS, SLOTS, between

Row = dict[str, Any]
MOST = 5  # maximum number of names in a list; further names are counted
ENDS = {  # text about skills of a class, and the stages passed before the loss
    "not_encoded": ("not encoded", ()),
    "lost_in_connector": ("lost in the connector", ("seen",)),
    "lost_in_lm": ("lost in the language model", ("seen", "passed on")),
    "not_retrieved": ("not retrieved", ("seen", "passed on")),
    "not_verbalised": ("not verbalised", ("seen", "passed on", "retrieved")),
    "not_used": ("not used", ("seen", "passed on")),
    "prior": ("answered without using the image", ()),
    "used": ("used", ()),
    "encoded": ("encoded", ()),
}
WAYS = {"seen": "encoder", "passed on": "connector", "retrieved": "answer position"}


def summarise(cells: Sequence[Row]) -> str:
    """Return the sentences about one model, from its cells of the card."""
    decided = [cell for cell in cells if cell["row"]["verdict"] in ENDS]
    decided.sort(key=lambda c: (list(ENDS).index(c["row"]["verdict"]), bool(c["row"]["partly"])))
    groups = groupby(decided, key=lambda c: (c["row"]["verdict"], bool(c["row"]["partly"])))
    text = "; ".join(_of_class(*key, list(members)) for key, members in groups)
    open_ = [cell for cell in cells if cell["row"]["verdict"] not in ENDS]
    first = f"{text[:1].upper()}{text[1:]}." if text else "No skill is decided."
    open_sentence = [_undecided(open_, len(cells))] if open_ else []
    return " ".join([first, *_shown(decided), *open_sentence])


def _shown(cells: Sequence[Row]) -> list[str]:
    """Return up to two sentences on the classes that interventions support and contradict."""
    groups: dict[str, list[Row]] = {}
    for cell in cells:
        groups.setdefault(cell["shown"], []).append(cell)
    contradicted = groups.pop(CONTRADICTED, [])
    parts = [f"{_names(some)} {_are(some)} {text}" for text, some in groups.items() if text]
    sentences = [f"Interventions show that {listed(parts)}."] if parts else []
    if contradicted:
        sentences.append(f"Interventions contradict the class of {_names(contradicted)}.")
    return sentences


def _of_class(verdict: str, partly: bool, cells: Sequence[Row]) -> str:
    end, ways = ENDS[verdict]
    came = [way for way in ways if all(_holds(cell, WAYS[way]) for cell in cells)]
    end = f"in part {end}" if partly else end
    return f"{_names(cells)} {_are(cells)} {listed([*came, end])}{_loss(verdict, cells)}"


def _holds(cell: Row, slot: str) -> bool:
    found = [cell["row"]["stages"].get(stage) for stage in SLOTS[slot]]
    return any(one and one["ci_low"] > one["floor"] for one in found)


def _loss(verdict: str, cells: Sequence[Row]) -> str:
    """Return the text about the points lost, and the location if there is only one."""
    rows = [cell["row"] for cell in cells]
    if verdict in KEPT or any(row["loss"] is None for row in rows):
        return ""
    points = sorted({round(100 * row["loss"]) for row in rows})
    places = {between(row["loss_first"], row["loss_second"]) for row in rows}
    size = f"{points[0]} to {points[-1]}" if len(points) > 1 else f"{points[0]}"
    said = verdict.startswith("lost_in") or len(places) > 1
    where = "" if said else f" {places.pop()}"
    return f" ({'loses' if len(rows) == 1 else 'lose'} {size} points{where})"


def _undecided(cells: Sequence[Row], total: int) -> str:
    needed = sorted((c["row"]["needed"], c["name"]) for c in cells if c["row"]["needed"])
    text = f"{LOOKS['undecided'].word.capitalize()}: {len(cells)} of {total}"
    if not needed:
        return f"{text}."
    (least, name), most = needed[0], needed[-1][0]
    more = ""
    if len(needed) == 2:
        more = f", and {most:,} {needed[1][1]}"
    elif len(needed) > 2:
        more = f", and up to {most:,} the other {len(needed) - 1}"
    return f"{text} (about {least:,} items would decide {name}{more})."


def _are(cells: Sequence[Row]) -> str:
    return "is" if len(cells) == 1 else "are"


def _names(cells: Sequence[Row]) -> str:
    names = [cell["name"] for cell in cells]
    more = [f"{len(names) - MOST + 1} more"] if len(names) > MOST else []
    return listed([*names[: MOST - bool(more)], *more])
