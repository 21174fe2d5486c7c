"""An item's prompts, one per order of the options, with the strings to score.

Options in a prompt are lettered: "(a) red (b) blue". No model is needed here.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError, nearest

LETTERS = string.ascii_lowercase
CHOICES = ("text", "letter")
MARKS = ("({})", "{})", "{}.", "{}")  # ways to write a letter


@dataclass(frozen=True)
class PromptStyle:
    """How items are presented to a model that reads text.

    Raise a UserError if a field is unknown, or if letters or orders are requested but no options
    are shown.
    """

    prompt: str  # template of the user turn, with the fields ``{question}`` and ``{options}``
    choices: str  # ``text`` or ``letter``; whether to score the choices themselves or their letters
    # int or ``all``; number of cyclic orders of the options; at most the number of options
    orders: int | str

    def __post_init__(self) -> None:
        if self.choices not in CHOICES:
            raise UserError(f"choices: {self.choices!r}; {nearest(self.choices, CHOICES)}")
        check_template("prompt", self.prompt, ("question", "options"))
        plain = {"choices": "text", "orders": 1}
        for name, value in plain.items():
            if "{options}" not in self.prompt and getattr(self, name) != value:
                raise UserError(
                    f"{name}: {getattr(self, name)!r}, but prompt {self.prompt!r} shows no "
                    "{options}"
                )

    def variants(self, item: dict[str, Any]) -> list[PromptVariant]:
        """Return an item's prompts, one per order; an open item has one, with nothing to score."""
        choices: list[str] = item["choices"]
        lettered = self.choices == "letter" or "{options}" in self.prompt
        if lettered and len(choices) > len(LETTERS):
            raise UserError(
                f"item {item['item_id']!r}: {len(choices)} choices, at most {len(LETTERS)} "
                "letters; leave {options} out of behavior.prompt to score the choices as text"
            )
        count = len(choices) or 1
        wanted = count if self.orders == "all" else min(int(self.orders), count)
        return [self._variant(item, order) for order in range(wanted)]

    def _variant(self, item: dict[str, Any], order: int) -> PromptVariant:
        choices: list[str] = item["choices"]
        shown = [choices[(place + order) % len(choices)] for place in range(len(choices))]
        options = " ".join(f"({a}) {text}" for a, text in zip(LETTERS, shown, strict=False))
        prompt = self.prompt.format(question=item["prompt"], options=options)
        named = range(len(choices) if len(choices) <= len(LETTERS) else 0)
        letters = [letter_of(choice, order, len(choices)) for choice in named]
        by_letter = self.choices == "letter"
        scored = [f"({a})" for a in letters] if by_letter else choices
        return PromptVariant(
            order, prompt if choices else prompt.strip(), tuple(scored), tuple(letters)
        )


@dataclass(frozen=True)
class AskedInOrder:
    """Settings of a stage that prompts like the behavior stage, with options in the given order."""

    prompt: str
    choices: str

    def style(self) -> PromptStyle:
        """Return the prompt style, with options in the given order only."""
        return PromptStyle(self.prompt, self.choices, 1)


@dataclass(frozen=True)
class PromptVariant:
    """An item's prompt with one order of its options."""

    order: int  # position j shows choice (j + order) mod c
    prompt: str
    # the string to score for each choice, in the item's own order of choices
    scored: tuple[str, ...]
    letters: tuple[str, ...]  # the letter of each choice, in the same order


def letter_of(choice: int, order: int, count: int) -> str:
    """Return the letter of a choice.

    >>> [letter_of(choice, 1, 3) for choice in range(3)]
    ['c', 'a', 'b']
    """
    return LETTERS[(choice - order) % count]


def parse(text: str, choices: Sequence[str], letters: Sequence[str] | None) -> str | None:
    """Return the choice that a text states exactly, or None.

    Case, surrounding white space and one final period are ignored. With letters, a choice may
    also be stated as ``(a)``, ``a)`` or ``a``, alone or before its own text, as in ``(a) red``.
    Longer texts and texts that state two choices return None; nothing is guessed.

    >>> parse(" Red. ", ["red", "blue"], None)
    'red'
    >>> parse("The left one is red", ["red", "blue"], None)
    >>> parse("(B) blue", ["red", "blue"], ["a", "b"])
    'blue'
    """
    plain = _plain(text)
    stated = []
    for n, choice in enumerate(choices):
        forms = {_plain(choice)}
        if letters is not None:
            marks = [mark.format(letters[n]) for mark in MARKS]
            forms |= {_plain(mark) for mark in marks}
            forms |= {f"{mark} {_plain(choice)}" for mark in marks}
        if plain in forms:
            stated.append(choice)
    return stated[0] if len(stated) == 1 else None


def check_template(name: str, template: str, fields: Sequence[str]) -> None:
    """Raise a UserError if a template is malformed or has fields other than ``fields``."""
    try:
        found = [field for _, field, _, _ in string.Formatter().parse(template)]
        template.format(**dict.fromkeys(fields, ""))
    except (KeyError, IndexError, ValueError, AttributeError):
        found = [""]
    if set(found) - {None, *fields}:
        expected = " and ".join(f"{{{field}}}" for field in fields)
        raise UserError(f"{name}: {template!r} has a field other than {expected}")


def _plain(text: str) -> str:
    return " ".join(text.strip().removesuffix(".").casefold().split())
