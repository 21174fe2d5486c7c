"""The open question that asks for a scene's caption, with several references."""

from typing import Any

from eyechart.data.layouts.clevr.tasks import DESCRIBE, nearest_first
from eyechart.rendering.language.questions import node, phrase
from eyechart.rendering.scene.vocabulary import ATTRIBUTES

Scene = dict[str, Any]

QUESTION = "What things are there?"  # each word is one token of the tiny language model
OMITTED = ("", "material", "size")  # an attribute that a reference leaves out


def references(scene: Scene) -> list[str]:
    """Return several different captions of a scene, each of which names every object.

    The first caption has every attribute and starts with the nearest object. Others start with the
    farthest object, or leave out an attribute. Mirroring the image changes none of them.
    """
    nearest = nearest_first(scene)
    captions = [
        " and ".join(f"a {phrase({a: o[a] for a in ATTRIBUTES if a != omitted})}" for o in objects)
        for omitted in OMITTED
        for objects in (nearest, nearest[::-1])
    ]
    return list(dict.fromkeys(captions))


def caption_question(scene: Scene) -> dict[str, Any]:
    """Return the question that asks for a scene's caption; its answer is the first reference."""
    captions = references(scene)
    return {
        "question": QUESTION,
        "answer": captions[0],
        "references": captions,
        "question_family_index": None,
        "program": [node("scene"), node(DESCRIBE, [0])],
    }
