"""Word a pair of images: one question with two options, or one statement per image.

The wordings are a table keyed by the kind of pair
(:class:`eyechart.rendering.datasets.mmvp.patterns.PatternPair`). Where possible, they use the
language of CLEVR's questions and of the tiny models' training captions.
"""

import random
from dataclasses import dataclass
from typing import Any

from eyechart.rendering.language.questions import phrase
from eyechart.rendering.scene.vocabulary import ATTRIBUTES

Record = dict[str, Any]  # shard record of a pair: kind, answers, thing, partner, others


@dataclass(frozen=True)
class Wording:
    """A question about both images, and for each answer a statement true of one image.

    Fields in questions and statements: ``color`` and ``shape`` of the thing, ``thing`` and
    ``partner`` (unique descriptions), ``things`` (plural), ``bare`` (without colour), ``answer``.
    In statements, things are described in full, and ``rest`` names all other objects.
    """

    question: str
    statements: dict[str, str]


def _for(answers: tuple[str, ...], statement: str) -> dict[str, str]:
    return {answer: statement.replace("{answer}", answer) for answer in answers}


WORDINGS = {
    "arrow": Wording(
        "Is the {color} arrow pointing left or right?",
        _for(("left", "right"), "a {color} arrow pointing {answer}{rest}"),
    ),
    "any": Wording(
        "Are there any {things}?", {"yes": "a {thing}{rest}", "no": "no {things}{rest}"}
    ),
    "cylinder": Wording(
        "Is the {color} cylinder standing or lying?",
        _for(("standing", "lying"), "a {color} cylinder {answer} on the floor{rest}"),
    ),
    "box": Wording(
        "Is the {color} box open or closed?",
        {"open": "an open {color} box{rest}", "closed": "a closed {color} box{rest}"},
    ),
    "count": Wording(
        "How many {shape}s are there?",
        {"1": "one {shape}{rest}", "2": "two {shape}s{rest}", "3": "three {shape}s{rest}"},
    ),
    "places": Wording(
        "Is the {thing} left or right of the {partner}?",
        _for(("left", "right"), "a {thing} {answer} of a {partner}{rest}"),
    ),
    "paint": Wording("What color is the {bare}?", {}),
    "roof": Wording(
        "Is the roof of the {color} house pointed or flat?",
        _for(("pointed", "flat"), "a {color} house with a {answer} roof{rest}"),
    ),
    "stack": Wording(
        "Is the {color} sphere on top of the {partner} or beside it?",
        {
            "on top": "a {thing} on top of a {partner}{rest}",
            "beside": "a {thing} beside a {partner}{rest}",
        },
    ),
    "sign": Wording(
        "Which letter is on the {color} sign?",
        {"": "a {color} sign with the letter {answer}{rest}"},
    ),
    "view": Wording(
        "Is the camera looking from above or from the side?",
        {"above": "a {thing}{rest} seen from above", "side": "a {thing}{rest} seen from the side"},
    ),
}


def options(record: Record, rng: random.Random) -> list[str]:
    """Return both answers in random order, the same for both images."""
    return rng.sample(record["answers"], 2)


def question(record: Record, rng: random.Random) -> str:
    """Return the question about a pair, which describes the thing by shape and some attributes."""
    thing = record["thing"]
    fields = {"color": thing["color"], "shape": thing["shape"]}
    if "form" not in thing:
        described = _some(thing, rng)
        bare = {a: v for a, v in described.items() if a != "color"}
        fields |= {"thing": phrase(described), "bare": phrase(bare),
                   "things": phrase(described, plural=True)}  # fmt: skip
    if record["partner"]:
        fields["partner"] = phrase(_some(record["partner"], rng))
    return WORDINGS[record["kind"]].question.format(**fields)


def statement(record: Record, answer: str) -> str:
    """Return a statement true of the image with this answer and false of the other."""
    thing = record["thing"]
    rest = "".join(f" and a {_whole(other)}" for other in record["others"])
    if record["kind"] == "paint":
        return f"a {_whole({**thing, 'color': answer})}{rest}"
    fields = {"color": thing["color"], "shape": thing["shape"], "rest": rest, "answer": answer}
    if "form" not in thing:
        fields |= {"thing": _whole(thing), "things": phrase(_attributes(thing), plural=True)}
    if record["partner"]:
        fields["partner"] = _whole(record["partner"])
    statements = WORDINGS[record["kind"]].statements
    return statements.get(answer, statements.get("", "")).format(**fields)


def _attributes(thing: dict[str, Any]) -> dict[str, str]:
    return {a: thing[a] for a in ATTRIBUTES}


def _whole(thing: dict[str, Any]) -> str:
    return phrase(_attributes(thing))


def _some(thing: dict[str, Any], rng: random.Random) -> dict[str, str]:
    """Return a thing's shape, which is unique, with a random subset of its other attributes."""
    more = [a for a in ATTRIBUTES if a != "shape" and rng.random() < 0.5]
    return {a: thing[a] for a in ATTRIBUTES if a in more or a == "shape"}
