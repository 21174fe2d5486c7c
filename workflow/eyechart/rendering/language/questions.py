"""Captions of a scene, and questions about it: with programs, and of CLEVR's answer types.

A *family* proposes a random question, and the engine answers it (ambiguous referents are
discarded). Of several proposals, the one with the least used answer so far is chosen. Answers are
thus balanced per family and length of description, and cannot be guessed from the wording.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from eyechart.data.layouts.clevr.programs import AmbiguousError, Node, Program, execute
from eyechart.rendering.scene.vocabulary import ATTRIBUTES, RELATIONS

Scene = dict[str, Any]
Description = dict[str, str]
Proposal = tuple[str, Program]

SIDES = {"left": "left of", "right": "right of", "front": "in front of", "behind": "behind"}
COMPARISONS = (
    ("greater_than", "more {} than {}"),
    ("less_than", "fewer {} than {}"),
    ("equal_integer", "as many {} as {}"),
)


def node(function: str, inputs: list[int] | None = None, *values: str) -> Node:
    """Return one node of a program."""
    return {"function": function, "inputs": inputs or [], "value_inputs": list(values)}


def run(program: Program, scene: dict[str, Any]) -> str:
    """Return the answer of a program: a value, ``yes``/``no``, or a count as decimal digits.

    Raise an AmbiguousError if a ``unique`` node receives no object or several.
    """
    answer = execute(program, scene)[-1]
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return str(answer)


def filters(description: dict[str, str], start: int) -> Program:
    """Return the filter chain of a description, with node ``start`` as input."""
    chain: Program = []
    for attribute in ATTRIBUTES:
        if attribute in description:
            chain.append(node(f"filter_{attribute}", [start + len(chain)], description[attribute]))
    return chain


def phrase(description: Description, plural: bool = False) -> str:
    """Return a description in words: ``{"size": "small", "shape": "cube"}`` -> ``small cube``."""
    words = [description[a] for a in ATTRIBUTES if a != "shape" and a in description]
    noun = description.get("shape", "thing")
    return " ".join([*words, noun + "s" if plural else noun])


def caption(scene: Scene, rng: random.Random) -> str:
    """Return a caption that names every object of a scene, in random order."""
    objects = rng.sample(scene["objects"], len(scene["objects"]))
    return " and ".join(f"a {phrase({a: o[a] for a in ATTRIBUTES})}" for o in objects)


def _describe(
    rng: random.Random, scene: Scene, without: str | None = None, least: int = 1
) -> Description:
    """Return a random subset of an object's attributes, at least ``least`` of them."""
    obj = rng.choice(scene["objects"])
    usable = [a for a in ATTRIBUTES if a != without]
    chosen = rng.sample(usable, rng.randint(least, len(usable)))
    return {a: obj[a] for a in usable if a in chosen}


def _imagine(rng: random.Random) -> Description:
    """Return a random description, which may match no object."""
    chosen = rng.sample(list(ATTRIBUTES), rng.randint(1, len(ATTRIBUTES)))
    return {a: rng.choice(values) for a, values in ATTRIBUTES.items() if a in chosen}


def _seen_or_imagined(rng: random.Random, scene: Scene, least: int = 1) -> Description:
    return _describe(rng, scene, least=least) if rng.random() < 0.5 else _imagine(rng)


def _referent(description: Description) -> Program:
    chain = [node("scene"), *filters(description, 0)]
    return [*chain, node("unique", [len(chain) - 1])]


def _query_words(attribute: str, thing: str) -> str:
    if attribute == "material":
        return f"What is the {thing} made of?"
    return f"What {attribute} is the {thing}?"


def query(rng: random.Random, scene: Scene, attribute: str) -> Proposal:
    """Propose ``What color is the small cube?``."""
    description = _describe(rng, scene, without=attribute)
    program = _referent(description)
    text = _query_words(attribute, phrase(description))
    return text, [*program, node(f"query_{attribute}", [len(program) - 1])]


def _query_from(
    rng: random.Random,
    scene: Scene,
    attribute: str,
    step: tuple[str, list[str]],
    clause: str,
    without: str | None = None,
) -> Proposal:
    """Propose a query about a thing reached from another by ``step``, a node's name and values."""
    anchor = _describe(rng, scene, without=without)
    program = _referent(anchor)
    program.append(node(step[0], [len(program) - 1], *step[1]))
    description = _describe(rng, scene, without=attribute, least=0)
    program += filters(description, len(program) - 1)
    program.append(node("unique", [len(program) - 1]))
    program.append(node(f"query_{attribute}", [len(program) - 1]))
    text = _query_words(attribute, f"{phrase(description)} {clause} the {phrase(anchor)}")
    return text, program


def query_relation(rng: random.Random, scene: Scene, attribute: str) -> Proposal:
    """Propose ``What size is the thing that is left of the red cube?``."""
    side = rng.choice(RELATIONS)
    return _query_from(rng, scene, attribute, ("relate", [side]), f"that is {SIDES[side]}")


def query_same(rng: random.Random, scene: Scene, attribute: str) -> Proposal:
    """Propose ``What color is the thing that has the same size as the metal cube?``."""
    shared = rng.choice([a for a in ATTRIBUTES if a != attribute])
    clause = f"that has the same {shared} as"
    return _query_from(rng, scene, attribute, (f"same_{shared}", []), clause, shared)


def _asked_of_all(function: str, words: str, least: int) -> Callable[..., Proposal]:
    """Return the family that applies ``function`` to all things that match a description."""

    def propose(rng: random.Random, scene: Scene, attribute: str) -> Proposal:
        description = _seen_or_imagined(rng, scene, least)
        chain = [node("scene"), *filters(description, 0)]
        text = words.format(phrase(description, plural=True))
        return text, [*chain, node(function, [len(chain) - 1])]

    return propose


def compare_count(rng: random.Random, scene: Scene, attribute: str) -> Proposal:
    """Propose ``Are there more red things than cubes?`` (or fewer, or as many)."""
    function, words = rng.choice(COMPARISONS)
    program: Program = []
    ends, things = [], []
    for _ in range(2):
        description = _seen_or_imagined(rng, scene)
        chain = [node("scene"), *filters(description, len(program))]
        program += [*chain, node("count", [len(program) + len(chain) - 1])]
        ends.append(len(program) - 1)
        things.append(phrase(description, plural=True))
    return f"Are there {words.format(*things)}?", [*program, node(function, ends)]


def compare_attribute(rng: random.Random, scene: Scene, attribute: str) -> Proposal:
    """Propose ``Is the small cube of the same color as the metal sphere?``."""
    shared = rng.choice(list(ATTRIBUTES))
    program: Program = []
    ends, things, referents = [], [], []
    for _ in range(2):
        description = _describe(rng, scene, without=shared)
        referents.append(run(_referent(description), scene))
        chain = filters(description, len(program))
        program += [node("scene"), *chain]
        program.append(node("unique", [len(program) - 1]))
        program.append(node(f"query_{shared}", [len(program) - 1]))
        ends.append(len(program) - 1)
        things.append(phrase(description))
    if things[0] == things[1]:
        raise AmbiguousError("a thing compared with itself")
    if referents[0] == referents[1]:
        raise AmbiguousError("a thing compared with itself in other words")
    text = f"Is the {things[0]} of the same {shared} as the {things[1]}?"
    return text, [*program, node(f"equal_{shared}", ends)]


FAMILIES: dict[str, Callable[[random.Random, Scene, str], Proposal]] = {
    "query": query,
    "query_relation": query_relation,
    "query_same": query_same,
    "count": _asked_of_all("count", "How many {} are there?", least=0),
    "exist": _asked_of_all("exist", "Are there any {}?", least=1),
    "compare_count": compare_count,
    "compare_attribute": compare_attribute,
}
TASK_FAMILIES = {
    **dict.fromkeys(ATTRIBUTES, ("query", "query_relation", "query_same")),
    "number": ("count",),
    "boolean": ("exist", "compare_count", "compare_attribute"),
}
PROPOSALS = 16


class QuestionSampler:
    """A sampler of questions, scene by scene, that balances the answers.

    Parameters
    ----------
    families : question families to use, e.g. ``["query", "count", "exist"]``
    balance : if False, the first answerable proposal is used, so answers follow their natural
        frequencies
    """

    def __init__(self, families: list[str], balance: bool) -> None:
        self.families = families
        self.balance = balance
        self.used: Counter[tuple[str, str, int, str]] = Counter()

    def ask(
        self, rng: random.Random, scene: Scene, questions: dict[str, int]
    ) -> list[dict[str, Any]]:
        """Return up to ``questions[task]`` different questions per task about one scene."""
        chosen: dict[str, dict[str, Any]] = {}
        for task, number in questions.items():
            for _ in range(number):
                question = self._choose(rng, scene, task, chosen)
                if question is not None:
                    chosen[question["question"]] = question
        return list(chosen.values())

    def _choose(
        self, rng: random.Random, scene: Scene, task: str, chosen: dict[str, dict[str, Any]]
    ) -> dict[str, Any] | None:
        usable = [f for f in TASK_FAMILIES[task] if f in self.families]
        best, best_key = None, None
        for _ in range(PROPOSALS if usable else 0):
            family = rng.choice(usable)
            try:
                text, program = FAMILIES[family](rng, scene, task)
                answer = run(program, scene)
            except AmbiguousError:
                continue
            if text in chosen:
                continue
            key = (task, family, len(program), answer)
            if best_key is None or self.used[key] < self.used[best_key]:
                best_key = key
                best = {
                    "question": text,
                    "answer": answer,
                    "question_family_index": list(FAMILIES).index(family),
                    "program": program,
                }
            if not self.balance:
                break
        if best_key is not None:
            self.used[best_key] += 1
        return best
