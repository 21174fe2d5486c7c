"""Derive a model that finds an answer but gives another: its head permutes a concept's words.

The head's rows for the first tokens in which ``words`` differ are shifted cyclically by one, so the
model gives each word where the base gives the next. The token ids are those of a word as it follows
a prompt. A head that shares the weights of the input embeddings gets its own copy, so that words
are read as before.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from torch import nn

from eyechart.core.errors import UserError
from eyechart.models.derivations.connector import language, sample_images
from eyechart.models.derivations.settings import chosen
from eyechart.models.families.base import Adapter
from eyechart.models.families.language import LanguageAdapter

PROMPT = "What is it?"


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Permute the head's rows for the words in ``settings["words"]`` cyclically."""
    words = chosen("unsaid", settings, words=None)["words"]
    adapter = language(adapter, "unsaid")
    head = adapter.model.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        raise UserError(
            f"derived.by: unsaid cannot be folded into a model of family {adapter.spec.family}: it "
            "has no linear head, unlike llava and all other native families"
        )
    rows = deciding_tokens(adapter, words)
    untie(adapter.model, head)
    for held in (head.weight, head.bias):
        if held is not None:
            held.data[rows] = held.data[[*rows[1:], rows[0]]]


def deciding_tokens(adapter: LanguageAdapter, words: Any) -> list[int]:
    """Return each word's first token, as an answer, after the words' common prefix."""
    listed = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not listed or len(set(words)) < 2:
        raise UserError(
            f"derived.settings.words is {words!r}, expected the answers of a concept, at least two"
        )
    row = adapter.row(PROMPT, [adapter.prepare_image(sample_images()[0])])
    ids = [adapter.answer_ids(row, word) for word in words]
    for word, own in zip(words, ids, strict=True):
        if not own or adapter.tokenizer.unk_token_id in own:
            raise UserError(
                f"derived.settings.words: the tokenizer of {adapter.spec.checkpoint} does not know "
                f"the word {word!r}"
            )
    shared = len(list(takewhile(lambda tokens: len(set(tokens)) == 1, zip(*ids, strict=False))))
    owners: dict[int | None, str] = {}
    for word, own in zip(words, ids, strict=True):
        token = own[shared] if shared < len(own) else None
        if token is None or token in owners:
            other = owners.get(token, next(w for w in words if w != word))
            raise UserError(
                f"derived.settings.words: {other!r} and {word!r} begin with the same tokens of "
                f"{adapter.spec.checkpoint}, so the head cannot swap them; leave one out"
            )
        owners[token] = word
    return [token for token in owners if token is not None]


def untie(model: Any, head: nn.Linear) -> None:
    """Give a head its own copy of the weights if it shares them with the input embeddings."""
    if head.weight is model.get_input_embeddings().weight:
        head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = False
