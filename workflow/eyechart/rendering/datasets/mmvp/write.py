"""Convert rendered pairs to the official MMVP layout: the same question about both images.

Reads the shards' manifests; writes ``Questions.csv`` (``Index,Question,Options,Correct Answer``),
``Patterns.csv`` (``Index,Type``, which the official archive lacks) and, last, the receipt.

    python -m eyechart.rendering.datasets.mmvp.write --dataset mmvp --settings JSON --seed 7
        --shards data/raw/mmvp/shards/test-000.json --root data/raw/mmvp
        --output data/raw/mmvp/acquired.json
"""

from typing import Any

from eyechart.core import randomness
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.datasets.mmvp import wordings
from eyechart.rendering.datasets.mmvp.pattern_types import TYPES
from eyechart.rendering.tables import numbers, only_split, read_pairs, write_tables

QUESTIONS = ("Index", "Question", "Options", "Correct Answer")
PATTERNS = ("Index", "Type")


def question_rows(record: dict[str, Any], name: tuple[str, str], seed: int) -> list[list[Any]]:
    """Return the two rows of a pair: same question and options, opposite answers.

    Parameters
    ----------
    name : (dataset, split)
        Seeds of description and order, together with ``seed`` and the pair's index.
    """
    rng = randomness.dice("questions", seed, *name, record["pair"])
    question = wordings.question(record, rng)
    options = wordings.options(record, rng)
    shown = f"(a) {options[0]} (b) {options[1]}"
    return [
        [number, question, shown, "(a)" if answer == options[0] else "(b)"]
        for number, answer in zip(numbers(record), record["answers"], strict=True)
    ]


@command
def main(args: rendering_steps.Writing) -> None:
    """Write the questions and patterns, then the receipt."""
    files, pairs = read_pairs(args)
    name = (args.dataset, only_split(args))
    questions = [row for pair in pairs for row in question_rows(pair, name, args.seed)]
    types = [[number, TYPES[pair["pattern"]]] for pair in pairs for number in numbers(pair)]
    tables = {"Questions.csv": (QUESTIONS, questions), "Patterns.csv": (PATTERNS, types)}
    write_tables(args, "mmvp", files, pairs, tables)


if __name__ == "__main__":
    main()
