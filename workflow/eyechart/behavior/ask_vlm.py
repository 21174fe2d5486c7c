"""Ask a vision-language model all questions under one condition; encode each image once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from threading import Lock

from eyechart.behavior.conditions import Stimulus
from eyechart.inference import passes, prefix_cache, whole_prompts
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.choice_tokens import Response, Script, script, tidy
from eyechart.inference.failures import Failures
from eyechart.inference.packing import PACK_TOKENS, fill
from eyechart.inference.preprocessing import ahead, held, prepare_images
from eyechart.inference.workload import chunks
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.usable import UnusableError, usable

Stimuli = tuple[Stimulus, ...]


@dataclass(frozen=True)
class ScoringRequest:
    """A prompt about images, the strings to score after it, and whether to generate an answer.

    ``number`` identifies the request for the caller.
    """

    number: int
    stimuli: Stimuli
    prompt: str
    scored: tuple[str, ...]
    wants_text: bool


@dataclass(frozen=True)
class RequestBatch:
    """Images to encode together, and the scripts of each set of images."""

    images: dict[Stimulus, PreparedImage]
    groups: dict[Stimuli, list[tuple[int, Script]]]


class PromptAnswerer:
    """A model that answers prompts.

    Parameters
    ----------
    shares_prefix : whether prompts can share a prefix, according to the model's card
    most : maximum number of tokens of a greedy answer
    batches : images, full prompts, or rows of packed prompts per forward pass
    """

    def __init__(
        self, adapter: LanguageAdapter, shares_prefix: bool, most: int, batches: AdaptiveBatchSize
    ) -> None:
        self.adapter, self.shares_prefix = adapter, shares_prefix
        self.most, self.batches = most, batches
        self.lost: dict[int, str] = {}  # numbers of requests without a response, with reasons
        self.tokenizing = Lock()  # fast tokenizers are not thread-safe

    def run(self, asked: Sequence[ScoringRequest]) -> Iterator[list[tuple[int, Response]]]:
        """Yield responses with the numbers of their requests, in arbitrary order.

        Requests with an image or prompt that the model's own code rejects have no response. Raise a
        UserError if there are too many such requests.
        """
        self.lost = {}
        self.adapter.write_ahead((one.prompt, len(one.stimuli)) for one in asked)
        self.images = Failures("images", len({s for one in asked for s in one.stimuli}))
        self.prompts = Failures("prompts", len(asked))
        groups: dict[Stimuli, list[ScoringRequest]] = {}
        for one in asked:
            groups.setdefault(one.stimuli, []).append(one)
        parts = list(chunks([groups[stimuli] for stimuli in sorted(groups)], self.batches.size))
        for batch in ahead(self._prepare, parts, lambda batch: held(batch.images.values())):
            encoded = self._encode(batch.images)
            if self.shares_prefix:
                yield from self._read_shared(batch.groups, encoded)
            else:
                yield self._read_joint(batch.groups, encoded)

    def _prepare(self, part: Sequence[Sequence[ScoringRequest]]) -> RequestBatch:
        """Create and preprocess each image once; tokenize prompts and choices."""
        stimuli = {stimulus: None for group in part for stimulus in group[0].stimuli}
        drawn = [(stimulus, stimulus.draw()) for stimulus in stimuli]
        with self.tokenizing:  # preprocessing tokenizes image placeholders
            images, unusable = prepare_images(self.adapter, drawn)
        for stimulus, error in unusable.items():
            self.images.add(str(stimulus), error)
        why = {stimulus: str(error) for stimulus, error in unusable.items()}
        groups = {}
        for group in part:
            lost = [why[stimulus] for stimulus in group[0].stimuli if stimulus in why]
            self.lost |= {one.number: lost[0] for one in group if lost}
            scripts = [] if lost else [(one.number, self._script(one, images)) for one in group]
            if found := [(number, own) for number, own in scripts if own is not None]:
                groups[group[0].stimuli] = found
        return RequestBatch(images, groups)

    def _script(
        self, asked: ScoringRequest, images: Mapping[Stimulus, PreparedImage]
    ) -> Script | None:
        """Return a request's script, or None if the model's own code rejects the prompt."""
        try:
            with self.tokenizing, usable(f"prompt {asked.prompt!r}", self.adapter.spec.checkpoint):
                row = self.adapter.row(
                    self.adapter.as_text(asked.prompt), [images[s] for s in asked.stimuli]
                )
                most = self.most if asked.wants_text else None
                return script(self.adapter, row, asked.scored, most)
        except UnusableError as error:
            self.prompts.add(str(asked.number), error)
            self.lost[asked.number] = str(error)
            return None

    def _encode(self, images: Mapping[Stimulus, PreparedImage]) -> dict[Stimulus, EncodedImage]:
        def encode(few: Sequence[Stimulus]) -> list[EncodedImage]:
            own = [images[s] for s in few]
            return passes.encode_images(self.adapter, own, [], complete=True)[0]

        done = self.batches.over(list(images), encode, "images")
        return {s: one for few, found in done for s, one in zip(few, found, strict=True)}

    def _read_shared(
        self,
        groups: Mapping[Stimuli, list[tuple[int, Script]]],
        encoded: Mapping[Stimulus, EncodedImage],
    ) -> Iterator[list[tuple[int, Response]]]:
        """Read the prefix shared by prompts about the same images once, then each prompt's rest.

        Yield each pass's responses, with the numbers of their requests.
        """
        starts = {stimuli: self._opening(stimuli, group) for stimuli, group in groups.items()}
        bare = {stimuli: groups[stimuli] for stimuli, row in starts.items() if not row.ids}
        if bare:
            yield self._read_joint(bare, encoded)
        by_length = sorted(set(groups) - set(bare), key=lambda s: (len(starts[s].ids), s))

        def read(few: Sequence[Stimuli]) -> passes.Prefix:
            rows, own = [starts[s] for s in few], [encoded[stimulus] for s in few for stimulus in s]
            return passes.read_prefix(self.adapter, rows, own, [])[0]

        for few, prefix in self.batches.over(by_length, read, "prefixes"):
            of = [[(n, s, s.row.ids[len(starts[k].ids) :]) for n, s in groups[k]] for k in few]
            yield from self._read_rest(prefix, of)

    def _read_rest(
        self, prefix: passes.Prefix, groups: Sequence[Sequence[tuple[int, Script, list[int]]]]
    ) -> Iterator[list[tuple[int, Response]]]:
        packs = []  # index of the prefix, the scripts after it and their length
        for k, group in enumerate(groups):
            lengths = [len(rest) + sum(map(len, s.branches)) for _, s, rest in group]
            lines = fill(list(zip(group, lengths, strict=True)), lengths, PACK_TOKENS)
            packs += [(k, [one for one, _ in line], sum(n for _, n in line)) for line in lines]
        packs.sort(key=lambda pack: pack[2])

        def read(
            few: Sequence[tuple[int, list[tuple[int, Script, list[int]]], int]],
        ) -> list[Response]:
            lines = [[(s, rest) for _, s, rest in line] for _, line, _ in few]
            found = prefix_cache.read(
                self.adapter, prefix, [k for k, _, _ in few], lines, self.most
            )
            scripts = [s for line in lines for s, _ in line]
            return [self._said(s, *one) for s, one in zip(scripts, found, strict=True)]

        for few, said in self.batches.over(packs, read, "choices"):
            numbers = [n for _, line, _ in few for n, _, _ in line]
            yield list(zip(numbers, said, strict=True))

    def _read_joint(
        self,
        groups: Mapping[Stimuli, list[tuple[int, Script]]],
        encoded: Mapping[Stimulus, EncodedImage],
    ) -> list[tuple[int, Response]]:
        every = [(stimuli, n, s) for stimuli, group in groups.items() for n, s in group]
        scripts = [s for _, _, s in every]
        own = [[encoded[stimulus] for stimulus in stimuli] for stimuli, _, _ in every]
        scored = whole_prompts.score(self.adapter, scripts, own, self.batches)
        telling = [k for k, s in enumerate(scripts) if s.wants_text]
        told = whole_prompts.generate(
            self.adapter,
            [scripts[k] for k in telling],
            [own[k] for k in telling],
            self.most,
            self.batches,
        )
        said = dict(zip(telling, told, strict=True))
        return [(n, self._said(s, scored[k], said.get(k, []))) for k, (_, n, s) in enumerate(every)]

    def _opening(self, stimuli: Stimuli, group: Sequence[tuple[int, Script]]) -> Row:
        """Return the common prefix of a group's prompts; empty if they start with the question."""
        rows = [s.row for _, s in group]
        if stimuli:
            return passes.shared_prefix(self.adapter, rows, stimuli[0].name or "a white image")
        columns = zip(*(row.ids[:-1] for row in rows), strict=False)
        return Row([column[0] for column in takewhile(lambda c: len(set(c)) == 1, columns)])

    def _said(self, script: Script, scored: list[float], ids: list[int]) -> Response:
        with self.tokenizing:
            text = tidy(self.adapter, ids) if script.wants_text else None
        return Response(scored, [len(own) for own in script.choices], text)
