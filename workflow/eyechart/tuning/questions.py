"""A loaded model with the items that it is tuned and tested on, with their own or white images.

Images are encoded once if neither the encoder nor the connector is tuned. If the connector is, the
encoder's outputs are cached, unless the connector is a part of the encoder. Items of one step about
the same images share the forward pass up to the last image token, if the model allows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy

from eyechart.data.open_image import open_image
from eyechart.inference import passes, prefix_cache, whole_prompts
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.choice_tokens import Ids, Script, script_of
from eyechart.inference.chosen_items import Item
from eyechart.inference.prompts import PromptStyle
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.tables.choice_scoring import choose, score

WHITE = (255, 255, 255)
SIZE = "tuning.batch_size"

Key = tuple[str, tuple[int, int]]  # image id, empty for white; width and height


class TunedItems:
    """A loaded model and its items.

    Parameters
    ----------
    images : path, width and height by id
    scoring : as in the behavior stage: ``mean``, ``sum`` or ``letter``
    """

    def __init__(
        self,
        adapter: LanguageAdapter,
        style: PromptStyle,
        scoring: str,
        images: Mapping[str, Mapping[str, Any]],
        batch_size: int | str,
    ) -> None:
        self.adapter, self.style, self.scoring, self.images = adapter, style, scoring, images
        self.batches = AdaptiveBatchSize(batch_size, SIZE)
        self.memory = VisionMemory(adapter)
        self.tuned: tuple[str, ...] = ()  # components with changing outputs
        self.share = True  # whether a cache may be kept for gradients
        self._prepared: dict[Key, PreparedImage] = {}
        self._encoded: dict[Key, EncodedImage] = {}
        self._scripts: dict[tuple[str, bool], Script] = {}

    def tune(self, components: tuple[str, ...]) -> None:
        """Drop cached outputs that depend on the components tuned from now on, and all prompts."""
        self.tuned = components
        self._encoded.clear()
        self._scripts.clear()

    def loss(self, items: Sequence[Item], blank: bool) -> Tensor:
        """Return the mean negative log-probability of the right choices, with gradients."""
        scripts = [self.script(item, blank) for item in items]
        right = [
            s.choices[i["choices"].index(i["answer"])] for s, i in zip(scripts, items, strict=True)
        ]
        with torch.enable_grad():
            found = self._logits(items, scripts, right, blank)
            how = "sum" if self.scoring == "sum" else "mean"
            lost = [
                cross_entropy(
                    logits.float(), torch.tensor(ids, device=logits.device), reduction=how
                )
                for logits, ids in zip(found, right, strict=True)
            ]
            return torch.stack(lost).mean()

    def _logits(
        self, items: Sequence[Item], scripts: Sequence[Script], right: Sequence[Ids], blank: bool
    ) -> list[Tensor]:
        """Return the logits (tokens, vocabulary) that predict each right choice."""
        keys = [tuple(self.keys(item, blank)) for item in items]
        encoded = self.encode({k for own in keys for k in own})
        groups = {own: [n for n, k in enumerate(keys) if k == own] for own in dict.fromkeys(keys)}
        if len(groups) == len(items) or not self._shares(keys[0]):
            shown = [encoded[k] for own in keys for k in own]
            return self.adapter.logits([s.row for s in scripts], shown, [ids[:-1] for ids in right])
        starts = [
            passes.shared_prefix(self.adapter, [scripts[n].row for n in own], str(shown))
            for shown, own in groups.items()
        ]
        shown = [encoded[k] for own in groups for k in own]
        prefix, _ = passes.read_prefix(self.adapter, starts, shown, [], gradients=True)
        lines = [
            [(replace(scripts[n], choices=[right[n]], branches=[right[n][:-1]]), rest)
             for n in own for rest in [scripts[n].row.ids[len(start.ids) :]]]
            for own, start in zip(groups.values(), starts, strict=True)
        ]  # fmt: skip
        bed = prefix_cache.lay(lines, self.adapter.device)
        tokens = self.adapter.tokens([Row(ids) for ids in bed.ids])
        after = prefix.after + bed.offset
        hidden = self.adapter.read(tokens, bed.mask(prefix.seen), after, prefix.cache)
        found = {
            n: self.adapter.score(hidden[p.row, p.end : p.end + len(right[n])])
            for n, p in zip((n for own in groups.values() for n in own), bed.places, strict=True)
        }
        return [found[n] for n in range(len(items))]

    def _shares(self, keys: Sequence[Key]) -> bool:
        """Return whether prompts about the same images share a prefix with cached states."""
        return self.share and len(keys) > 0 and self.adapter.shares_prefix(self.prepare(keys[0]))

    def answers(self, items: Sequence[Item], blank: bool = False) -> list[list[float]]:
        """Return the log-probability of each item's choices, as scored in the behavior stage."""
        found = []
        with torch.no_grad():
            for few, encoded in self.batches.over(items, lambda some: self._shown(some, blank)):
                scripts = [self.script(item, blank) for item in few]
                found += whole_prompts.score(self.adapter, scripts, encoded, self.batches)
        return found

    def said(self, item: Item, scores: list[float]) -> int:
        """Return the position of the choice that the scores select."""
        tokens = [len(ids) for ids in self.script(item, blank=False).choices]
        named = score(self.scoring, scores, tokens)
        return choose(named, str(item["item_id"]), 0)

    def script(self, item: Item, blank: bool) -> Script:
        """Return an item's prompt and choices as tokens."""
        key = str(item["item_id"]), blank
        if key not in self._scripts:
            shown = [self.prepare(one) for one in self.keys(item, blank)]
            self._scripts[key] = script_of(self.adapter, self.style, item, shown)
        return self._scripts[key]

    def words(self, items: Sequence[Item]) -> list[int]:
        """Return the ids of all tokens of the questions."""
        return [i for item in items for i in self.adapter.plain_ids(str(item["prompt"]))]

    def keys(self, item: Item, blank: bool) -> list[Key]:
        """Return the keys of the images that an item is shown."""
        sizes = {i: (self.images[i]["width"], self.images[i]["height"]) for i in item["images"]}
        return [("" if blank else i, sizes[i]) for i in item["images"]]

    def prepare(self, key: Key) -> PreparedImage:
        """Return the preprocessed image of a key; each is preprocessed once."""
        if key not in self._prepared:
            name, size = key
            image = (
                open_image(Path(self.images[name]["path"]))
                if name
                else Image.new("RGB", size, WHITE)
            )
            self._prepared[key] = replace(self.adapter.prepare_image(image), size=image.size)
        return self._prepared[key]

    def encode(self, keys: Iterable[Key]) -> dict[Key, EncodedImage]:
        """Return the language model's input for images; constant outputs are cached."""
        wanted = sorted(set(keys))
        frozen = not {"vision", "connector"} & set(self.tuned)
        new = [key for key in wanted if not (frozen and key in self._encoded)]
        prepared = [self.prepare(key) for key in new]
        if self.tuned == ("connector",) and self.memory.works:
            found = [self.memory.encode(*one) for one in zip(new, prepared, strict=True)]
        elif frozen:  # one by one, since float sums depend on the batch and so on history
            with torch.no_grad():  # a family may embed its marks with trainable prompts
                found = [encode(self.adapter, [image])[0] for image in prepared]
        else:
            found = encode(self.adapter, prepared)
        encoded = dict(zip(new, found, strict=True))
        if frozen:
            self._encoded |= encoded
            encoded = self._encoded
        return {key: encoded[key] for key in wanted}

    def _shown(self, items: Sequence[Item], blank: bool) -> list[list[EncodedImage]]:
        encoded = self.encode({k for item in items for k in self.keys(item, blank)})
        return [[encoded[k] for k in self.keys(item, blank)] for item in items]


class VisionMemory:
    """A cache of a frozen vision encoder's outputs, computed once per image."""

    def __init__(self, adapter: LanguageAdapter) -> None:
        self.adapter = adapter
        root, connector = (adapter.ROOTS.get(part, "") for part in ("vision", "connector"))
        self.works = bool(root) and not (adapter.CONNECTOR or connector).startswith(f"{root}.")
        self.root = adapter.model.get_submodule(root) if self.works else None
        self.kept: dict[tuple[Key, int], Any] = {}

    def encode(self, key: Key, image: PreparedImage) -> EncodedImage:
        """Return the language model's input for an image, with the connector's gradients."""
        plain, calls = self.root.forward, 0  # type: ignore[union-attr]

        def forward(*inputs: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if (key, calls) not in self.kept:
                self.kept[key, calls] = self._lighter(plain(*inputs, **named))
            return self.kept[key, calls]

        self.root.forward = forward  # type: ignore[union-attr]
        try:
            return encode(self.adapter, [image])[0]
        finally:
            del self.root.forward  # type: ignore[union-attr]

    def _lighter(self, output: Any) -> Any:
        """Return an output without the hidden states that the connector does not read."""
        states = getattr(output, "hidden_states", None)
        if states is not None:
            read = self.adapter.read_states()
            used = {n % len(states) for n in ([read] if isinstance(read, int) else read)}
            kept = tuple(state if n in used else None for n, state in enumerate(states))
            output["hidden_states"] = kept
        return output


def encode(adapter: LanguageAdapter, images: Sequence[PreparedImage]) -> list[EncodedImage]:
    """Return the language model's input for images, with gradients if enabled."""
    most = adapter.MAX_IMAGES_PER_PASS or max(1, len(images))
    parts = [images[n : n + most] for n in range(0, len(images), most)]
    return [one for part in parts for one in adapter.encode_images(part)]
