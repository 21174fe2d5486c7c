"""Convert a row of the user's table to a question: its prompt, choices, answer and task.

Snakemake imports this module at parse time, so it must not import numpy or pyarrow.
"""

import json
import re
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.data.own.entries import OwnEntry, alike, task_name

Settings = dict[str, Any]
_LETTER = re.compile(r"\(?([a-z])[).:]?", re.IGNORECASE)


def question(entry: OwnEntry, settings: Settings) -> dict[str, Any]:
    """Return the item of a row, without its group and type.

    Raise a UserError if the row lacks a prompt or task, if a label has the name of its task, or if
    its answer contradicts its choices.
    """
    where = entry["where"]
    prompt = settings.get("prompt") or entry["prompt"]
    if not prompt:
        raise UserError(
            f"{where}: prompt is empty; name its column in columns.prompt, or give one prompt for "
            "all rows in the key prompt"
        )
    given = settings.get("choices") or entry["choices"] or []
    choices = _choices([alike(choice) for choice in given], where)
    answers = _answers(entry["answer"] or [], choices, settings, where)
    return {
        "item_id": entry["item_id"],
        "split": entry["split"],
        "images": entry["images"],
        "prompt": prompt,
        "choices": choices,
        "answer": answers[0] if answers else None,
        "task": _task(settings.get("task") or entry["task"], entry),
        "pair": entry["pair"],
        "meta": json.dumps({} if choices else {"references": answers}, ensure_ascii=False),
    }


def _choices(choices: list[str], where: str) -> list[str]:
    if len(choices) == 1 or len(set(choices)) < len(choices):
        raise UserError(
            f"{where}: choices are {', '.join(map(repr, choices))}, expected at least two, all "
            "different (a list, or strings separated by |)"
        )
    return choices


def _answers(answers: list[str], choices: list[str], settings: Settings, where: str) -> list[str]:
    """Return the correct choice, or all references of an open question; empty if unknown."""
    if not answers or not choices:
        return answers
    if len(answers) > 1:
        raise UserError(f"{where}: {len(answers)} answers to a question with choices, expected one")
    answer, form = answers[0], settings.get("answer_as", "text")
    if form == "text":
        if answer not in choices:
            raise UserError(
                f"{where}: answer {answer!r} is not among the choices; {nearest(answer, choices)}"
            )
        return answers
    letter = _LETTER.fullmatch(answer)
    if form == "letter":
        place = ord(letter[1].lower()) - ord("a") if letter else -1
    else:
        place = int(answer) if answer.isascii() and answer.isdigit() else -1
    if not 0 <= place < len(choices):
        expected = f"a letter up to {chr(ord('a') + len(choices) - 1)}"
        if form == "index":
            expected = f"a number from 0 to {len(choices) - 1}"
        raise UserError(f"{where}: answer is {answer!r}, expected {expected} (answer_as: {form})")
    return [choices[place]]


def _task(task: str | None, entry: OwnEntry) -> str:
    where = entry["where"]
    if not task:
        raise UserError(
            f"{where}: task is empty; name its column in columns.task, or give one task for all "
            "rows in the key task"
        )
    name = task_name(task, where)
    if name in entry["labels"]:  # both would be probed into the same file
        raise UserError(
            f"{where}: task {name!r} is also a name under columns.labels; rename one of them"
        )
    return name
