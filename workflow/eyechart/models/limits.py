"""Limits on what an untrusted checkpoint may request: model size, time and memory."""

import re
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from eyechart.core.errors import BEGIN, UserError, lacks, shorter, shown
from eyechart.core.files import read_json
from eyechart.core.memory import taken
from eyechart.core.timer import PROCESSOR, raises_after
from eyechart.models.watch import SECONDS, watched

MOST_BYTES = 4_000_000  # of a description; the largest, with 6,000 added tokens, has 1 MB
MOST_SECONDS = 10  # to render a chat template
MOST_CHARACTERS = 1_000_000  # of a prompt
MOST_MEMORY = 1 << 31  # bytes that a template may add to the memory of the process
MOST_IMAGE_MEMORY = 1 << 33  # bytes that an image processor may add, including its threads' stacks
FILES = (
    *("config.json", "params.json", "preprocessor_config.json", "processor_config.json"),
    "generation_config.json",  # transformers would ignore an invalid one
)
MOST_TOKENIZER = 64_000_000  # bytes of a tokenizer; the largest has 40 MB
MOST_OBJECTS = 100_000  # in a tokenizer; each added token is one and takes a fifth of a millisecond
OBJECTS = (*FILES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
# Maximum of each number, by a pattern of its key. The largest models have 126 blocks, a width of
# 16,384 and 262,144 tokens
MOST = {
    re.compile(r"(.*_)?(layers|blocks|depths?|stages|heads|experts)"): 2_000,
    re.compile(r"vocab_size|.*_vocab_size"): 10_000_000,
    re.compile(r"(image|crop|tile)_size|height|width|.*_pinpoints|.*_resolutions"): 5_000,
    re.compile(r"(.*_)?(size|dim|width|channels)|d_model|d_ff|d_kv"): 1_000_000,
    re.compile(r"num_.*|image_seq_length"): 1_000_000,
    re.compile(r"eos_token_id"): 10_000_000,
    re.compile(r"n_positions|max_position_embeddings|.*_length"): 100_000_000,
}


def check(checkpoint: Path) -> None:
    """Raise a UserError if a checkpoint describes a larger model or image than any real one.

    A pipe or a device among its files is an error too, since reading it may not end.
    """
    for folder in (checkpoint, checkpoint / "additional_chat_templates"):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            _check_file(path)
    if (checkpoint / "tokenizer.json").is_file():
        _check_tokenizer(checkpoint / "tokenizer.json")
    for name in OBJECTS:
        path = checkpoint / name
        if path.is_file():
            if (size := path.stat().st_size) > MOST_BYTES:
                raise UserError(f"{path}: {size:,} bytes, expected at most {MOST_BYTES:,}")
            held = read_json(path)
            if not isinstance(held, dict):
                raise UserError(f"{path}: holds {shown(held)}, expected a JSON object")
            try:
                _check(held if name in FILES else None, path, "")
            except RecursionError:
                raise UserError(f"{path}: nested too deeply") from None


def _check_tokenizer(path: Path) -> None:
    if (size := path.stat().st_size) > MOST_TOKENIZER:
        raise UserError(f"{path}: {size:,} bytes, expected at most {MOST_TOKENIZER:,}")
    if (count := path.read_bytes().count(b"{")) > MOST_OBJECTS:
        raise UserError(
            f"{path}: {count:,} objects, such as added tokens, expected at most {MOST_OBJECTS:,}"
        )


def _check_file(path: Path) -> None:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"{path}: is a pipe or a device, expected a file")
    # transformers would ignore it
    if path.suffix in (".json", ".jinja") and not path.is_file():
        kind = "a folder" if path.is_dir() else "a link to nothing"
        raise UserError(f"{path}: is {kind}, expected a file")


def _check(held: Any, path: Path, at: str) -> None:
    for key, value in held.items() if isinstance(held, dict) else ():
        if key == "eos_token_id" and not all(type(n) is int for n in _flat(value or [])):
            raise UserError(f"{path}: {at}{key} is {shown(value)}, expected ids of tokens")
        most = next((most for name, most in MOST.items() if name.fullmatch(key)), None)
        for number in _flat(value):
            if most and isinstance(number, int | float) and abs(number) > most:
                raise UserError(f"{path}: {at}{key} is {number}, expected at most {most:,}")
            _check(number, path, f"{at}{key}.")


def _flat(value: Any) -> Iterator[Any]:
    """Yield a value, or all values in a list and its nested lists."""
    for one in value if isinstance(value, list) else ():
        yield from _flat(one)
    if not isinstance(value, list):
        yield value


class TooMuchError(UserError):
    """An error about a chat template's time or memory, after which no further prompt is tried."""


def rendered(checkpoint: str, render: Callable[[], Any]) -> str:
    """Return the text that a chat template renders.

    Raise a TooMuchError if rendering takes more than 10 s or 2 GiB; a UserError if it produces more
    than a million characters, or is invalid; a ValueError if there is no template. All limits need
    the main thread: signals reach only this thread, and other threads may use memory at the same
    time. A template that stays in one call into C ends the process, after one sentence on standard
    error.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("chat templates are rendered in the main thread")
    where = f"{checkpoint}: its chat template"
    try:
        late = f"{where} takes more than {MOST_SECONDS} s"
        with (
            watched(f"{BEGIN} {late} in one step"),
            raises_after(MOST_SECONDS, TooMuchError(late), PROCESSOR),
            memory_limit(MOST_MEMORY),
        ):
            text = str(render())
    except (UserError, ValueError):
        raise
    except MemoryError:
        if _is_limited(MOST_MEMORY):
            raise
        raise TooMuchError(f"{where} takes more than {MOST_MEMORY >> 20} MiB") from None
    except Exception as error:  # from Jinja, or from anything that the template calls
        if lacks(error):
            raise
        raise UserError(f"{where} cannot be rendered ({shorter(error)})") from None
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"{where}: {len(text)} characters when rendered, expected at most a million"
        )
    return text


@contextmanager
def tokenizing(checkpoint: str) -> Iterator[None]:
    """End the block with one sentence if a tokenizer takes too much time or memory, or panics.

    A tokenizer is native code: too much time or memory ends the process. Only the main thread has
    limits.
    """
    where = f"{checkpoint}: its tokenizer"
    alone = threading.current_thread() is threading.main_thread()
    try:
        with (
            watched(f"{BEGIN} {where} takes more than {SECONDS} s for one prompt"),
            memory_limit(MOST_MEMORY) if alone else nullcontext(),
        ):
            yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # from Rust; not an Exception
            raise
        raise UserError(f"{where} cannot take a prompt ({shorter(error)})") from None


@contextmanager
def processing(checkpoint: str) -> Iterator[None]:
    """End the block with one sentence if an image processor takes too much time or memory."""
    where = f"{checkpoint}: its image processor"
    try:
        with (
            watched(f"{BEGIN} {where} takes more than {SECONDS} s for one image"),
            memory_limit(MOST_IMAGE_MEMORY),
        ):
            yield
    except (MemoryError, RuntimeError) as error:  # torch raises a RuntimeError
        if not lacks(error) or _is_limited(MOST_IMAGE_MEMORY):
            raise
        raise UserError(
            f"{where} takes more than {MOST_IMAGE_MEMORY >> 30} GiB for one image"
        ) from None


@contextmanager
def memory_limit(most: int) -> Iterator[None]:
    """Raise a MemoryError in the block if the process would take ``most`` more bytes.

    There is no limit on systems that do not report the memory of a process.
    """
    has = taken()
    if has is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    known = [limit for limit in (has + most, soft) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(known), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _is_limited(most: int) -> bool:
    """Return whether the process may take less than ``most`` more bytes by a limit of the user.

    It is true on systems without :func:`memory_limit`.
    """
    has = taken()
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return has is None or (soft != resource.RLIM_INFINITY and soft < has + most)
