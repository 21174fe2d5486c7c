"""Ask an encoder with a text tower all questions under one condition.

An item with choices is scored zero-shot, by comparing the image with a text per choice. An item
that asks which of its images a statement describes is scored as in MMVP-VLM's official script, by
comparing the statement with each image. Log-probabilities are those of a softmax over cosines times
the learned scale. SigLIP learned that scale for a sigmoid; its bias is the same for all choices, so
the softmax ranks them as the sigmoid would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from eyechart.behavior.conditions import Item, Stimulus
from eyechart.core.errors import UserError
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.choice_tokens import Response
from eyechart.inference.failures import Failures
from eyechart.inference.preprocessing import ahead, held, prepare_images
from eyechart.inference.workload import chunks
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.two_towers import TwoTowers

WHICH_IMAGE = "which_image"  # the form of items that ask which image a statement is about

T = TypeVar("T")


@dataclass(frozen=True)
class MatchRequest:
    """Images and texts to compare: one image and a text per choice, or one text and all images."""

    stimuli: tuple[Stimulus, ...]
    texts: tuple[str, ...]


def texts(item: Item, statement: str, caption: str) -> tuple[str, ...]:
    """Return the texts to compare an item's images with: one per choice, or a statement.

    ``statement`` is the template of the text, with the fields ``{question}`` and ``{choice}``.
    ``caption`` has the field ``{statement}`` and is for items that ask which image a statement is
    about.
    """
    asked = item["prompt"]
    if item["form"] == WHICH_IMAGE:
        return (caption.format(statement=asked),)
    return tuple(statement.format(question=asked, choice=c) for c in item["choices"])


def refusal(adapter: TwoTowers, item: Item, texts: Sequence[str]) -> str:
    """Return a short reason why an encoder cannot answer an item, or '' if it can."""
    expected = len(item["choices"]) if item["form"] == WHICH_IMAGE else 1
    if len(item["images"]) != expected:
        return f"{len(item['images'])} images, an encoder compares {expected} with its texts"
    longest = max(adapter.count_tokens(texts)) if texts else 0
    if longest > adapter.most_tokens:
        return f"its text is longer than the {adapter.most_tokens} tokens that are read"
    return ""


def answer(
    adapter: TwoTowers, matches: Sequence[MatchRequest], batches: AdaptiveBatchSize
) -> list[Response | str]:
    """Compare images with texts; each distinct image and text is encoded once.

    Result: for each match, the log-probability of each text, or of each image if there is one text.
    A text is compared as a whole, so ``tokens`` are 1. If the model's own code rejects an image,
    the result is the reason.
    """
    asked = [match for match in matches if match.texts]
    stimuli = list(dict.fromkeys(stimulus for match in asked for stimulus in match.stimuli))
    texts = list(dict.fromkeys(text for match in asked for text in match.texts))
    failures = Failures("images", len(stimuli))
    encoded = view(adapter, stimuli, batches, failures)
    known = dict(zip(texts, read(adapter, texts, batches), strict=True))
    found: list[Response | str] = []
    for match in matches:
        lost = [failures.found[str(s)] for s in match.stimuli if str(s) in failures.found]
        if not match.texts or lost:
            found.append(lost[0] if lost else Response([], []))
            continue
        views = torch.stack([encoded[stimulus] for stimulus in match.stimuli])
        words = torch.stack([known[text] for text in match.texts])
        scores = adapter.logit_scale * (views.double() @ words.double().T).flatten()  # (c,)
        found.append(Response(scores.log_softmax(dim=0).tolist(), [1] * len(scores)))
    return found


def view(
    adapter: TwoTowers,
    stimuli: Sequence[Stimulus],
    batches: AdaptiveBatchSize,
    failures: Failures | None = None,
) -> dict[Stimulus, Tensor]:
    """Return the unit embedding of each image on the CPU: float32 (d,).

    Images that the model's own code rejects have no embedding and are added to ``failures``;
    without ``failures``, the first such image raises a UserError.
    """

    def prepare(part: Sequence[Stimulus]) -> dict[Stimulus, PreparedImage]:
        images, unusable = prepare_images(adapter, ((one, one.draw()) for one in part))
        for stimulus, error in unusable.items():
            if failures is None:
                raise error
            failures.add(str(stimulus), error)
        return images

    found: dict[Stimulus, Tensor] = {}
    for images in ahead(
        prepare, list(chunks(stimuli, batches.size)), lambda few: held(few.values())
    ):
        done = _over(batches, list(images.values()), adapter.embed_images, "images")
        found |= dict(zip(images, torch.cat(done) if done else (), strict=True))
    return found


def read(adapter: TwoTowers, texts: Sequence[str], batches: AdaptiveBatchSize) -> Tensor:
    """Return unit embeddings of texts on the CPU: float32 (c, d)."""
    counts = adapter.count_tokens(texts) if texts else []
    order = sorted(range(len(texts)), key=lambda n: (counts[n], texts[n]))
    found = _over(batches, [texts[n] for n in order], adapter.embed_texts, "texts")
    if not found:
        return torch.zeros(0, 0)
    vectors = torch.cat(found)
    return vectors[torch.tensor(order).argsort()]


def two_towers(adapter: Adapter) -> TwoTowers:
    """Return the adapter unchanged; raise a UserError if it has no text tower."""
    if not isinstance(adapter, TwoTowers):
        raise UserError(
            f"{adapter.spec.checkpoint}: {adapter.MODEL} has no text tower, so it cannot answer; "
            "with text_tower: false in the spec of a clip or siglip, it answers no questions"
        )
    return adapter


def _over(
    batches: AdaptiveBatchSize,
    values: Sequence[T],
    work: Callable[[Sequence[T]], Tensor],
    kind: str,
) -> list[Tensor]:
    return [found.cpu() for _, found in batches.over(values, work, kind)]
