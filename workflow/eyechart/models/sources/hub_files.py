"""Choose the files that a checkpoint needs: settings, tokenizer, processor, one set of weights.

Hub repositories hold the same weights in several formats, and many other files. Only the files
chosen here are stored in ``data/models/<model>``, from the hub or from the user's own folder.
"""

import re
from collections.abc import Iterable

from eyechart.core.errors import UserError

CONFIG = "config.json"
INDEX = {"safetensors": "model.safetensors.index.json", "bin": "pytorch_model.bin.index.json"}
_SETTINGS = re.compile(r"[^/]+\.(json|jinja)|additional_chat_templates/[^/]+\.jinja")
_VOCABULARY = re.compile(r"(vocab|merges)\.txt|[^/]+\.(model|spm|tiktoken)")
_CODE = re.compile(r"[^/]+\.py")
# Written by trainers and never read; Mistral's own params.json is added below if needed
_UNREAD = re.compile(r"(params|trainer_state|(all|eval|train)_results|adapter_config)\.json")
_INDEX = re.compile(r".+\.index\.json")
# Patterns per format, in order of preference; the first that matches is used
_WEIGHTS = {
    "safetensors": (r"model\.safetensors", r"model-\d+-of-\d+\.safetensors"),
    "bin": (r"pytorch_model\.bin", r"pytorch_model-\d+-of-\d+\.bin"),
    "pt": (r"checkpoints/latest-checkpoint\.pt",),
}
# Mistral's own layout, used if there is no other
_OWN_CONFIG = "params.json"
_OWN_WEIGHTS = r"consolidated(-\d+-of-\d+)?\.safetensors"


def choose(where: str, paths: Iterable[str], weights: str, code: bool) -> list[str]:
    """Return the paths of the needed files, sorted.

    Raise a UserError if there is no config.json, or if there are no weights in this format.

    Parameters
    ----------
    where : the repository or folder, for the error
    paths : all its files, relative to its root, separated by ``/``
    weights : ``safetensors``; or ``bin`` or ``pt`` for pickled weights
    code : whether to include Python files
    """
    there = set(paths)
    chosen, own = _weights(there, weights)
    if not chosen:
        raise UserError(f"{where}: {_instead(there, weights)}")
    config = _OWN_CONFIG if own and CONFIG not in there else CONFIG
    if config not in there:
        raise UserError(
            f"{where}: has no {CONFIG}, so it is not a checkpoint in Hugging Face layout"
        )
    chosen |= set(choose_tokenizer(there))
    chosen |= {config} | {path for path in there if code and _CODE.fullmatch(path)}
    return sorted(chosen)


def choose_tokenizer(paths: Iterable[str]) -> list[str]:
    """Return the paths of all needed files except code and weights, sorted."""
    return sorted(
        path
        for path in paths
        if (_SETTINGS.fullmatch(path) or _VOCABULARY.fullmatch(path))
        and not (_INDEX.fullmatch(path) or _UNREAD.fullmatch(path))
    )


def choose_companion(where: str, paths: Iterable[str], what: str, weights: str) -> list[str]:
    """Return the needed paths of a companion repository, which another's code loads by name.

    ``what`` is ``tokenizer`` or ``all``; ``weights="bin"`` allows pickled weights if there are no
    others. Code is never included.
    """
    there = set(paths)
    if what == "tokenizer":
        return choose_tokenizer(there)
    safe = bool(_weights(there, "safetensors")[0])
    return choose(where, there, "safetensors" if safe else weights, False)


def is_weights(path: str) -> bool:
    """Return whether a top-level file of a checkpoint contains weights or their index."""
    patterns = [*(p for some in _WEIGHTS.values() for p in some), _OWN_WEIGHTS]
    return path in INDEX.values() or any(re.fullmatch(p, path) for p in patterns)


def _weights(there: set[str], weights: str) -> tuple[set[str], bool]:
    """Return the weight files with their index, and whether they use Mistral's layout."""
    for pattern in _WEIGHTS[weights]:
        if found := {path for path in there if re.fullmatch(pattern, path)}:
            sharded = "-of-" in next(iter(found))
            return found | ({INDEX[weights]} & there if sharded else set()), False
    if weights == "safetensors":
        return {path for path in there if re.fullmatch(_OWN_WEIGHTS, path)}, True
    return set(), False


def _instead(there: set[str], weights: str) -> str:
    """Return the error text that names the weights found instead."""
    other = "bin" if weights == "safetensors" else "safetensors"
    if not _weights(there, other)[0]:
        return f"has no weights (found: {', '.join(sorted(there)[:8]) or 'no files'})"
    if other == "safetensors":
        return "has safetensors, so the spec need not name another format under weights; correct it"
    return (
        "has pickled weights only, and reading a pickle can run code; convert them to safetensors, "
        "or if you trust them write weights: bin in the model's spec"
    )
