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
from eyechart.rendering.datasets.mmvp import wordings
from eyechart.rendering.datasets.mmvp.patterns import TYPES, numbers
from eyechart.rendering.step_helpers import Writing, finish, only_split, read_shards, write_csv

QUESTIONS = ("Index", "Question", "Options", "Correct Answer")
PATTERNS = ("Index", "Type")


def question_rows(record: dict[str, Any], name: tuple[str, str], seed: int) -> list[list[Any]]:
    """Return the two rows of a pair: same question and options, opposite answers.

    ``name``: (dataset, split); seeds the description and the order of the options, together with
    ``seed`` and the pair's index.
    """
    rng = randomness.dice("questions", seed, *name, record["pair"])
    question = wordings.question(record, rng)
    options = wordings.options(record, rng)
    shown = f"(a) {options[0]} (b) {options[1]}"
    return [
        [number, question, shown, "(a)" if answer == options[0] else "(b)"]
        for number, answer in zip(numbers(record["pair"]), record["answers"], strict=True)
    ]


@command
def main(args: Writing) -> None:
    """Write the questions and patterns, then the receipt."""
    files, pairs = read_shards(args.shards, args.root, "pairs", order="pair")
    split = only_split(args)
    questions = [row for p in pairs for row in question_rows(p, (args.dataset, split), args.seed)]
    types = [[number, TYPES[p["pattern"]]] for p in pairs for number in numbers(p["pair"])]
    files.append(write_csv(args.root / "Questions.csv", QUESTIONS, questions))
    files.append(write_csv(args.root / "Patterns.csv", PATTERNS, types))
    finish(args, "mmvp", {split: (len(types), len(questions))}, files)


if __name__ == "__main__":
    main()
