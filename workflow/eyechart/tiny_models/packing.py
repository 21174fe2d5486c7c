"""Pack several questions about one image into one sequence; none attends to another.

The image tokens come first and are computed once. Each question attends to the image and to itself,
and its positions continue from the image, so each question gives the same result as on its own.
Training and evaluation use the same sequences.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from eyechart.tiny_models.architectures import BOS, IMAGE

Question = dict[str, str]
Context = tuple[str, int]


@dataclass(frozen=True)
class Packed:
    """A batch of packed sequences.

    ``ids``, ``positions`` int64 (b, t); ``mask`` bool (b, 1, t, t), True where attention is
    allowed; ``rows``, ``columns``, ``labels`` int64 (a,): where an answer token is predicted, and
    its id; ``owner`` int64 (a,): index of its question in the batch.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    labels: torch.Tensor
    owner: torch.Tensor

    def to(self, device: torch.device) -> "Packed":
        """Return a copy of the batch on another device."""
        return Packed(*(getattr(self, field.name).to(device) for field in fields(self)))


class Packer:
    """A packer of questions into token sequences; it caches tokenized questions.

    Parameters
    ----------
    image_tokens : number of image tokens at the start; 0 for text alone
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, image_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.prefix = self._encode(f"{BOS}Q:" + IMAGE * image_tokens)
        self._known: dict[str, list[int]] = {}

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _tokens(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self._encode(text)
        return self._known[text]

    def pack(self, batch: list[list[Question]], contexts: list[Context] | None = None) -> Packed:
        """Pack the questions of each image, shape (b, t).

        Parameters
        ----------
        contexts : list of (text, gap), or None; only without images: for each row, the text before
            the questions (may be empty) and the number of positions left free after it
        """
        segments = [[self._segment(q) for q in questions] for questions in batch]
        prefixes = [
            self.prefix + self._encode(text) for text, _ in contexts or [("", 0)] * len(batch)
        ]
        gaps = [gap for _, gap in contexts] if contexts else [0] * len(batch)
        lengths = [
            len(prefix) + sum(len(q) + len(a) for q, a in row)
            for prefix, row in zip(prefixes, segments, strict=True)
        ]
        length = max(lengths)
        ids = np.full((len(batch), length), self.tokenizer.pad_token_id)
        positions = np.zeros((len(batch), length), dtype=np.int64)
        segment = np.full((len(batch), length), -1)
        targets: list[tuple[int, int, int, int]] = []
        number = 0
        for b, row in enumerate(segments):
            start = at = len(prefixes[b])
            ids[b, :start], positions[b, :start] = prefixes[b], np.arange(start)
            segment[b, :start] = 0
            for k, (question, answer) in enumerate(row):
                end = at + len(question) + len(answer)
                ids[b, at:end] = question + answer
                positions[b, at:end] = start + gaps[b] + np.arange(end - at)
                segment[b, at:end] = k + 1
                first = at + len(question) - 1  # position that predicts the first answer token
                targets += [(b, first + i, label, number) for i, label in enumerate(answer)]
                at, number = end, number + 1
        rows, columns, labels, owner = torch.tensor(targets, dtype=torch.int64).T
        return Packed(
            torch.from_numpy(ids),
            torch.from_numpy(positions),
            attention_mask(torch.from_numpy(segment)),
            rows,
            columns,
            labels,
            owner,
        )

    def _segment(self, question: Question) -> tuple[list[int], list[int]]:
        answer = [*self._tokens(f" {question['answer']}"), self.tokenizer.eos_token_id]
        return self._tokens(f" {question['question']} A:"), answer


def attention_mask(segment: torch.Tensor) -> torch.Tensor:
    """Return the attention mask, bool (b, 1, t, t), for segment numbers (b, t).

    0 is the image, −1 a pad, k > 0 the k-th question. Attention is causal. A question attends to
    the image and itself; a pad attends only to itself, because a row without any key would be NaN.
    """
    t = segment.shape[1]
    causal = torch.ones(t, t, dtype=torch.bool).tril()
    query, key = segment[:, :, None], segment[:, None, :]
    allowed = causal & ((key == query) | (key == 0)) & (query >= 0) & (key >= 0)
    return (allowed | torch.eye(t, dtype=torch.bool))[:, None]
