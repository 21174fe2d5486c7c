"""What families with a language model share: prompts as tokens, and reading them."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import DynamicCache

from eyechart.errors import UserError
from eyechart.models.families.base import Adapter, Picture
from eyechart.models.spans import Tokens, pad


class LanguageAdapter(Adapter):
    """A loaded vision-language model.

    Class attributes
    ----------------
    LM, NORM, BACKBONE : module paths of the list of blocks, of the last norm, and of the language
        model without its head
    CAUSAL : whether no token sees a later one, image tokens included
    """

    LM: ClassVar[str]
    NORM: ClassVar[str]
    BACKBONE: ClassVar[str]
    CAUSAL: ClassVar[bool]

    @property
    def image_id(self) -> int:
        """The id of the token that marks a position filled by a picture."""
        return int(self.model.config.image_token_id)

    def addresses(self) -> dict[str, str]:
        """Give the module path of every address, in the order in which they run."""
        blocks = len(self.model.get_submodule(self.LM))
        found = {f"lm.{i}": f"{self.LM}.{i}" for i in range(blocks)}
        return {**super().addresses(), **found, "lm.norm": self.NORM}

    def placeholder(self, inputs: Any) -> str:
        """Give the text of a picture's image tokens."""
        return str(self.processor.replace_image_token(inputs, image_idx=0))

    def sequence(self, prompt: str, pictures: Sequence[str]) -> list[int]:
        """Give the token ids of one user turn in the model's chat template, up to the answer.

        Parameters
        ----------
        prompt : str
            The text of the turn.
        pictures : sequence of str
            ``Picture.text`` of each picture, in order; none for text alone.

        Raises
        ------
        UserError
            If there is no chat template, or the prompt itself holds the mark of a picture.
        """
        content = [{"type": "image"} for _ in pictures]
        words = {"type": "text", "text": prompt}
        turn = [*content, words] if self.spec.image_first else [words, *content]
        try:
            text = self.processor.apply_chat_template(
                [{"role": "user", "content": turn}], add_generation_prompt=True
            )
        except ValueError as error:
            raise UserError(f"{self.spec.checkpoint}: {' '.join(str(error).split())}") from None
        pieces = text.split(self.processor.image_token)
        if len(pieces) != len(pictures) + 1:
            raise UserError(
                f"prompt {prompt!r}: {len(pieces) - 1} marks {self.processor.image_token!r} in the "
                f"chat template's text, expected {len(pictures)}, one per picture"
            )
        text = pieces[0] + "".join(p + q for p, q in zip(pictures, pieces[1:], strict=True))
        tokenizer = self.processor.tokenizer
        opened = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
        return list(tokenizer(text, add_special_tokens=not opened)["input_ids"])

    def prefix(self, ids: Sequence[int]) -> int:
        """Give the number of tokens up to the last image token; 0 for text alone."""
        mark = self.image_id
        return next((i + 1 for i in reversed(range(len(ids))) if ids[i] == mark), 0)

    def shares_prefix(self, picture: Picture) -> bool:
        """Whether what stands up to the last image token is the same for every question.

        That takes a causal language model and a chat template whose text before the picture does
        not depend on the question, as two unlike questions show.
        """
        if not (self.CAUSAL and self.spec.image_first):
            return False
        first, second = (self.sequence(q, [picture.text]) for q in ("What?", "so be it 7"))
        end = self.prefix(first)
        return end > 0 and first[:end] == second[:end] and self.prefix(second) == end

    def tokens(self, rows: Sequence[Sequence[int]]) -> Tokens:
        """Pad token ids to one batch on the device."""
        padding = self.processor.tokenizer.pad_token_id or 0
        return pad(rows, self.image_id, padding, self.device)

    def new_cache(self) -> DynamicCache:
        """Give an empty key-value cache."""
        return DynamicCache(config=self.model.get_submodule(self.BACKBONE).config)

    def read(
        self,
        tokens: Tokens,
        sees: Tensor,
        positions: Tensor,
        features: Sequence[Tensor],
        cache: DynamicCache | None,
    ) -> None:
        """Run the language model, without its head, for the sake of the taps on it.

        Parameters
        ----------
        tokens : Tokens, shape (b, t)
            What is read now.
        sees : bool, shape (b, s + t) or (b, t, s + t)
            Which of the s cached and t new positions are no pads; or, for each new token, which of
            them it sees.
        positions : int64, shape (b, t)
            Place of each new token in its prompt.
        features : one Tensor (its image tokens, d) per picture in the batch, in reading order
        cache : the keys and values of the s positions; grows by t, or None to keep nothing
        """
        backbone = self.model.get_submodule(self.BACKBONE)
        embeddings = backbone.get_input_embeddings()(tokens.ids)  # (b, t, d)
        if features:
            filled = torch.cat(list(features)).to(embeddings.dtype)
            embeddings = embeddings.masked_scatter(tokens.image[:, :, None], filled)
        if sees.ndim == 3:  # a mask of one's own is added to the attention scores
            hidden = torch.zeros(sees.shape, dtype=embeddings.dtype, device=self.device)
            sees = hidden.masked_fill(~sees, torch.finfo(hidden.dtype).min)[:, None]
        backbone(
            inputs_embeds=embeddings,
            attention_mask=sees,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
