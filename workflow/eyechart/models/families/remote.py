"""Base adapter of families whose code comes with the checkpoint and needs older transformers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
import transformers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from eyechart.core.errors import UserError
from eyechart.models.checkpoint import load_model, one_sentence, quiet
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load_options import LoadOptions
from eyechart.models.spans import Tokens
from eyechart.models.spec import Spec
from eyechart.models.stub_packages import inside, stand_ins

IMAGE = -200  # in token ids: replaced by a row of the connector's output
EDGE = -201  # replaced by a learned vector: the end of a line, the start or end of an image
HOME = "EYECHART_COMPANIONS"  # environment variable, see ``home_of``


class RemoteAdapter(LanguageAdapter):
    """A vision-language model whose code comes with its checkpoint.

    The model's own modules encode each image once. The prompt is embedded, image features are
    inserted, and the language model reads these embeddings. ``chat`` and ``generate`` are not used,
    since they run the encoder again and change between releases. Every prompt is read in full and
    padded on the right; questions share no prefix.

    Class attributes
    ----------------
    HEAD : module path of the head, which returns logits
    OLDEST, NEWEST : first and last transformers release (major, minor) that the code supports
    STAND_INS : packages that the code imports but does not call here; see ``stub_packages.py``
    TOKENIZER_ONLY : whether there is a tokenizer but no processor
    ENDS : tokens that end an answer, in addition to the EOS token
    """

    MODEL = "AutoModel"
    HEAD: ClassVar[str] = "lm_head"
    CAUSAL = False
    MAX_IMAGES_PER_PROMPT = 1
    OLDEST: ClassVar[tuple[int, int]]
    NEWEST: ClassVar[tuple[int, int]]
    STAND_INS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    TOKENIZER_ONLY: ClassVar[bool] = True
    ENDS: ClassVar[tuple[str, ...]] = ()

    # Loading

    @classmethod
    def load(cls, checkpoint: Path, spec: Spec, loading: LoadOptions) -> RemoteAdapter:
        """Load tokenizer or processor, then the model, from a folder in Hugging Face layout.

        Raise a UserError if the code does not support the installed transformers or is not allowed
        to run, or if a companion is missing or the checkpoint is incomplete.
        """
        cls.check_version()
        loading.trusts(spec)
        folder = Path(checkpoint).resolve()
        home = home_of(folder, cls.companions(folder), spec)
        with stand_ins(cls.STAND_INS), inside(home):
            processor = cls.load_text(folder, home, spec, loading)
            model, device = cls.load_weights(folder, home, spec, loading, processor)
        for parameter in [] if loading.bits else model.parameters():
            parameter.data = parameter.data.to(
                loading.precision(spec)
            )  # some are created in float32
        adapter = cls(model, processor, spec, device)
        ends = adapter.tokenizer.convert_tokens_to_ids([adapter.tokenizer.eos_token, *cls.ENDS])
        model.generation_config = transformers.GenerationConfig(eos_token_id=ends)
        return adapter

    @classmethod
    def check_version(cls) -> None:
        """Raise a UserError if the code does not support the installed transformers."""
        major, minor = (int(part) for part in transformers.__version__.split(".")[:2])
        if not cls.OLDEST <= (major, minor) <= cls.NEWEST:
            oldest, newest = ("{}.{}".format(*v) for v in (cls.OLDEST, cls.NEWEST))
            raise UserError(
                f"{cls.__name__} runs with transformers {oldest} to {newest}, but "
                f"{transformers.__version__} is installed; set env in the model's spec"
            )

    @classmethod
    def companions(cls, folder: Path) -> tuple[str, ...]:
        """Return the names of other repositories that the code loads; see ``home_of``."""
        return ()

    @classmethod
    def load_text(cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions) -> Any:
        """Load the tokenizer, or the processor of text and images."""
        auto = transformers.AutoTokenizer if cls.TOKENIZER_ONLY else transformers.AutoProcessor
        where = {"local_files_only": True, "trust_remote_code": loading.trusts(spec)}
        with quiet(), one_sentence(folder):
            return auto.from_pretrained(folder, **where)

    @classmethod
    def load_weights(
        cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions, processor: Any
    ) -> tuple[Any, torch.device]:
        """Load the model; return it and its device."""
        return load_model(cls.model_class(), folder, spec, loading, cls.UNUSED)

    # Parts of the model

    @property
    def text_config(self) -> Any:
        """Configuration of the language model."""
        return self.model.config

    @property
    def tokenizer(self) -> Any:
        """Tokenizer of prompts."""
        return getattr(self.processor, "tokenizer", self.processor)

    def image_marker_ids(self) -> set[int]:
        """Return the ids of all tokens that only images use: placeholders and delimiters."""
        return {IMAGE, EDGE}

    def check_marks(self, prompt: str, ids: Sequence[int]) -> None:
        """Raise a UserError if a question contains tokens that are reserved for images."""
        if self.image_marker_ids().intersection(ids):
            raise UserError(
                f"prompt {prompt!r} contains a token that {self.spec.family} reserves for images"
            )

    # Images

    def pad_tiles(
        self, component: str, tiles: Sequence[Tensor], images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Join tiles (t, d) of different lengths into one padded row per image: (b, t, d)."""
        leading = self.leading(component)
        places = [torch.arange(len(tile), device=tile.device) for tile in tiles]
        counts = [p.rows for p in images]
        hidden = pad_sequence(_joined(tiles, counts), batch_first=True)
        place = pad_sequence(_joined(places, counts), batch_first=True, padding_value=-1)
        patches = place >= leading
        masks = {"cls": place == 0, "image_mean": patches, "image_tokens": patches}
        return hidden, {span: masks[span] for span in self.spans(component)}

    # Forward passes

    def tokens(self, rows: Sequence[Any], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts into one batch; image tokens have the id ``IMAGE``."""
        found = super().tokens(rows, encoded)
        return replace(found, image=found.ids == IMAGE)

    @property
    def image_id(self) -> int:
        """Id of the token that is replaced by image features."""
        return IMAGE

    def words(self, ids: Tensor) -> Tensor:
        """Embed token ids (b, t) with the language model's embedding: (b, t, d)."""
        found: Tensor = self.model.get_input_embeddings()(ids)
        return found

    def prompt_rows(self, encoded: EncodedImage) -> Tensor:
        """Return the rows (t, d) of an image for its ids ``IMAGE`` and ``EDGE``, in order.

        If there are edges, ``encode_images`` keeps these rows as ``more["written"]``; the rows for
        ``IMAGE`` are the encoded features.
        """
        found: Tensor = encoded.more.get("written", encoded.features)
        return found

    def embed(self, tokens: Tokens) -> Tensor:
        """Return the input embeddings (b, t, d) of the language model."""
        embedded = self.words(tokens.ids.clamp(min=0))
        if not tokens.encoded:
            return embedded
        rows = torch.cat([self.prompt_rows(s) for s in tokens.encoded]).to(embedded)
        filled = embedded.masked_scatter((tokens.ids < 0)[:, :, None], rows)
        features = torch.cat([s.features for s in tokens.encoded]).to(embedded)
        return filled.masked_scatter(tokens.image[:, :, None], features)

    def read(
        self,
        tokens: Tokens,
        sees: Tensor | None = None,
        positions: Tensor | None = None,
        cache: Any = None,
        logits: bool = False,
    ) -> Any:
        """Run the language model over whole prompts; hooks on it fire.

        ``sees``, ``positions`` and ``cache`` are always None, because nothing is shared.
        """
        hidden = self.run(self.embed(tokens), tokens)
        return self.score(hidden) if logits else hidden

    def run(self, embedded: Tensor, tokens: Tokens) -> Tensor:
        """Run the language model without its head: (b, t, d)."""
        count = torch.arange(tokens.ids.shape[1], device=self.device)
        out = self.body(
            inputs_embeds=embedded,
            attention_mask=tokens.valid.long(),
            position_ids=count.expand(tokens.ids.shape),
            use_cache=False,
            **self.extra_inputs(tokens),
        )
        hidden: Tensor = out[0]
        return hidden

    def extra_inputs(self, tokens: Tokens) -> dict[str, Any]:
        """Return further inputs of the language model."""
        return {}

    def score(self, hidden: Tensor) -> Tensor:
        """Return the logits over the full vocabulary, (b, t, vocabulary)."""
        found: Tensor = self.model.get_submodule(self.HEAD)(hidden)
        return found


def home_of(folder: Path, companions: Sequence[str], spec: Spec) -> Path:
    """Return the folder that holds a checkpoint's companions, each in a subfolder of its name.

    This is the checkpoint's own folder, or the one named by the environment variable
    EYECHART_COMPANIONS. Raise a UserError if neither holds all of them.
    """
    homes = [folder, *(Path(os.environ[name]).resolve() for name in [HOME] if name in os.environ)]
    for home in homes:
        if all((home / name).is_dir() for name in companions):
            return home
    missing = next(name for name in companions if not (homes[-1] / name).is_dir())
    raise UserError(
        f"{folder}: has no folder {missing}, a repository that the code of {spec.family} loads; "
        f"put it there, or set {HOME} to a folder that contains it"
    )


def _joined(parts: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """Join consecutive tensors; each count is the number of tensors to join."""
    rest = iter(parts)
    return [torch.cat([next(rest) for _ in range(count)]) for count in counts]
