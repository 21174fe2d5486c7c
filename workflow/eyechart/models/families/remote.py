"""What families share whose code comes with the checkpoint, written for an earlier transformers."""

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
from eyechart.models.families.base import PreparedImage, Seen
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load_options import Loading
from eyechart.models.spans import Tokens
from eyechart.models.spec import Spec
from eyechart.models.stub_packages import inside, stand_ins

IMAGE = -200  # in a row's ids: filled by what the connector made of the picture
EDGE = -201  # filled by a learned vector: the end of a line, what opens or closes a picture
HOME = "EYECHART_COMPANIONS"  # the environment variable of ``home_of``


class RemoteAdapter(LanguageAdapter):
    """A vision-language model whose code comes with its checkpoint.

    Encoder and connector are run by the model's own modules, once per picture. A prompt's words are
    embedded, what was seen is put in its places, and the language model reads these rows: never
    ``chat`` or ``generate``, which run the encoder again and change from release to release. Every
    prompt is read whole and padded on the right; nothing is shared among questions.

    Class attributes
    ----------------
    HEAD : module path of what turns hidden states to scores of words
    OLDEST, NEWEST : first and last release of transformers, (major, minor), that the code runs on
    STAND_INS : packages that the code imports and nothing here calls; see ``models/standins.py``
    TOKENIZER_ONLY : whether there is a tokenizer, and no processor
    ENDS : tokens that end an answer, beside the one that ends any text
    """

    MODEL = "AutoModel"
    HEAD: ClassVar[str] = "lm_head"
    CAUSAL = False
    MOST_PICTURES = 1
    OLDEST: ClassVar[tuple[int, int]]
    NEWEST: ClassVar[tuple[int, int]]
    STAND_INS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    TOKENIZER_ONLY: ClassVar[bool] = True
    ENDS: ClassVar[tuple[str, ...]] = ()

    # Loading

    @classmethod
    def load(cls, checkpoint: Path, spec: Spec, loading: Loading) -> RemoteAdapter:
        """Load tokenizer or processor, and then the model, from a folder in Hugging Face layout.

        Raises
        ------
        UserError
            If the installed transformers cannot run the code, the code may not run, a companion is
            missing, or the checkpoint is not whole.
        """
        cls.check_version()
        loading.trusts(spec)
        folder = Path(checkpoint).resolve()
        home = home_of(folder, cls.companions(folder), spec)
        with stand_ins(cls.STAND_INS), inside(home):
            processor = cls.load_text(folder, home, spec, loading)
            model, device = cls.load_weights(folder, home, spec, loading, processor)
        for parameter in [] if loading.bits else model.parameters():
            parameter.data = parameter.data.to(loading.precision(spec))  # some is made in float32
        adapter = cls(model, processor, spec, device)
        ends = adapter.tokenizer.convert_tokens_to_ids([adapter.tokenizer.eos_token, *cls.ENDS])
        model.generation_config = transformers.GenerationConfig(eos_token_id=ends)
        return adapter

    @classmethod
    def check_version(cls) -> None:
        """Raise a UserError if the installed transformers is none that the code runs on."""
        major, minor = (int(part) for part in transformers.__version__.split(".")[:2])
        if not cls.OLDEST <= (major, minor) <= cls.NEWEST:
            oldest, newest = ("{}.{}".format(*v) for v in (cls.OLDEST, cls.NEWEST))
            raise UserError(
                f"{cls.__name__} runs on transformers {oldest} to {newest}, and here is "
                f"{transformers.__version__}; name its environment in the model's spec (env)"
            )

    @classmethod
    def companions(cls, folder: Path) -> tuple[str, ...]:
        """Give the names of other repositories that the code loads; see ``home_of``."""
        return ()

    @classmethod
    def load_text(cls, folder: Path, home: Path, spec: Spec, loading: Loading) -> Any:
        """Give the tokenizer, or the processor of text and pictures."""
        auto = transformers.AutoTokenizer if cls.TOKENIZER_ONLY else transformers.AutoProcessor
        where = {"local_files_only": True, "trust_remote_code": loading.trusts(spec)}
        with quiet(), one_sentence(folder):
            return auto.from_pretrained(folder, **where)

    @classmethod
    def load_weights(
        cls, folder: Path, home: Path, spec: Spec, loading: Loading, processor: Any
    ) -> tuple[Any, torch.device]:
        """Give the model and its device."""
        return load_model(cls.model_class(), folder, spec, loading, cls.UNUSED)

    # Parts of the model

    @property
    def text_config(self) -> Any:
        """The configuration of the language model."""
        return self.model.config

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of prompts."""
        return getattr(self.processor, "tokenizer", self.processor)

    def picture_ids(self) -> set[int]:
        """Give the ids of all tokens that are written for pictures and nothing else."""
        return {IMAGE, EDGE}

    def check_marks(self, prompt: str, ids: Sequence[int]) -> None:
        """Raise a UserError if a question's own tokens are among those written for pictures."""
        if self.picture_ids().intersection(ids):
            raise UserError(
                f"prompt {prompt!r} holds a mark that {self.spec.family} has pictures by"
            )

    # Pictures

    def lay(
        self, region: str, tiles: Sequence[Tensor], pictures: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay tiles (t, d) of unlike lengths one behind another, a row (b, t, d) per picture."""
        leading = self.leading(region)
        places = [torch.arange(len(tile), device=tile.device) for tile in tiles]
        counts = [p.rows for p in pictures]
        hidden = pad_sequence(_joined(tiles, counts), batch_first=True)
        place = pad_sequence(_joined(places, counts), batch_first=True, padding_value=-1)
        patches = place >= leading
        masks = {"cls": place == 0, "image_mean": patches, "image_tokens": patches}
        return hidden, {span: masks[span] for span in self.spans(region)}

    # Reading

    def tokens(self, rows: Sequence[Any], seen: Sequence[Seen] = ()) -> Tokens:
        """Pad prompts to one batch; image tokens are those of id ``IMAGE``."""
        found = super().tokens(rows, seen)
        return replace(found, image=found.ids == IMAGE)

    @property
    def image_id(self) -> int:
        """The id that marks a position filled by a picture."""
        return IMAGE

    def words(self, ids: Tensor) -> Tensor:
        """Embed token ids, (b, t), as the language model would: (b, t, d)."""
        found: Tensor = self.model.get_input_embeddings()(ids)
        return found

    def written(self, seen: Seen) -> Tensor:
        """Give the rows (t, d) of a picture at its ids ``IMAGE`` and ``EDGE``, in order.

        Where there are edges, ``look`` keeps these rows as ``more["written"]``.
        """
        found: Tensor = seen.more.get("written", seen.features)
        return found

    def embed(self, tokens: Tokens) -> Tensor:
        """Give the rows (b, t, d) that the language model reads."""
        embedded = self.words(tokens.ids.clamp(min=0))
        if not tokens.seen:
            return embedded
        filled = torch.cat([self.written(s) for s in tokens.seen]).to(embedded)
        return embedded.masked_scatter((tokens.ids < 0)[:, :, None], filled)

    def read(
        self,
        tokens: Tokens,
        sees: Tensor | None = None,
        positions: Tensor | None = None,
        cache: Any = None,
        logits: bool = False,
    ) -> Any:
        """Run the language model over whole prompts, for the sake of the hooks on it.

        ``sees``, ``positions`` and ``cache`` stay None, as nothing is shared.
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
            **self.beside(tokens),
        )
        hidden: Tensor = out[0]
        return hidden

    def beside(self, tokens: Tokens) -> dict[str, Any]:
        """Give what else the language model takes."""
        return {}

    def score(self, hidden: Tensor) -> Tensor:
        """Give the scores of all words, (b, t, words)."""
        found: Tensor = self.model.get_submodule(self.HEAD)(hidden)
        return found


def home_of(folder: Path, companions: Sequence[str], spec: Spec) -> Path:
    """Give the folder that holds a checkpoint's companions, each in a folder of its name.

    That is the checkpoint's own, or that which the environment variable EYECHART_COMPANIONS names.

    Raises
    ------
    UserError
        If neither holds all of them.
    """
    homes = [folder, *(Path(os.environ[name]).resolve() for name in [HOME] if name in os.environ)]
    for home in homes:
        if all((home / name).is_dir() for name in companions):
            return home
    missing = next(name for name in companions if not (homes[-1] / name).is_dir())
    raise UserError(
        f"{folder}: no folder {missing} in it, a repository that the code of {spec.family} loads; "
        f"put it there, or set {HOME} to a folder that holds it"
    )


def _joined(parts: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """Join so many neighbours each to one tensor."""
    rest = iter(parts)
    return [torch.cat([next(rest) for _ in range(count)]) for count in counts]
