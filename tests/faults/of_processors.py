"""The files of a checkpoint's folder that describe its images, prompts and responses."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from faults.injector import Fault
from faults.of_checkpoints import apart, described, holding, instead, setting

KIND = "Processors and tokenizers"
PROCESSOR, CONFIG, GENERATION = "processor_config.json", "config.json", "generation_config.json"
TOKENIZER, TOKENS = "tokenizer.json", "tokenizer_config.json"
TEMPLATES = "additional_chat_templates"
NAN, INFINITY = float("nan"), float("inf")


def folder(name: str, file: str = "") -> Callable[[Path], Any]:
    """Return a function that makes a folder in a file's place, and a pipe in it."""

    def make(checkpoint: Path) -> None:
        instead(name, Path.mkdir)(checkpoint)
        if file:
            os.mkfifo(checkpoint / name / file)

    return make


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 300 << 20)


def _fault(
    what: str, where: str, change: Callable[[Path], Any], says: str, family: str = "llava"
) -> Fault:
    return Fault(what, where, "refused", partial(described, family, change), says)


def _processor(what: str, key: str, value: Any, says: str) -> Fault:
    return _fault(what, PROCESSOR, setting(key, value, PROCESSOR), says)


CANNOT, PIXELS = "cannot process it", "gives pixel_values that are NaN or above 1000"
FAULTS = [
    _fault("another key alone", CONFIG, holding(CONFIG, '{"a": NaN}'),
           f"{CONFIG}: model_type is missing", "clip"),
    *(_fault(f"the family of a {family} alone", CONFIG,
             holding(CONFIG, f'{{"model_type": "{family}"}}'),
             "describes .* weights, but the weight files have only", family)
      for family in ("clip", "llava")),
    _fault("985 nested objects", CONFIG, holding(CONFIG, '{"model_type": "llava", "a":' * 985
           + "1" + "}" * 985), "nested too deeply"),
    _fault("a resolution of 10^9 pixels", CONFIG, setting("image_grid_pinpoints", [[32, 10**9]]),
           "image_grid_pinpoints is 1000000000, expected at most 5,000"),
    *(_processor(f"a size {what}", "image_processor.size", size, says) for what, size, says in (
        ("that is a word", "big", "size dict: big"), ("that is null", None, CANNOT),
        ("below zero", {"height": -5, "width": -5}, CANNOT),
        ("that is NaN", {"height": NAN, "width": NAN}, CANNOT),
        ("of 18,000 pixels", {"height": 18_000, "width": 18_000}, "expected at most 5,000"),
        ("of 10^9 pixels by its edge", {"shortest_edge": 10**9}, "more than 8 GiB for one image"),
    )),
    Fault("a size of 18,000 pixels by its edge", PROCESSOR, "refused", partial(apart, setting(
        "image_processor.size", {"shortest_edge": 18_000}, PROCESSOR)),
        "its image processor takes more than 12 s|not enough memory|more than 8 GiB", long=True),
    *(_processor(what, f"image_processor.{key}", value, says) for what, key, value, says in (
        ("a mean that is NaN", "image_mean", [NAN] * 3, PIXELS),
        ("a mean of one channel", "image_mean", [0.5], CANNOT),
        ("a mean that is a word", "image_mean", "grey", CANNOT),
        ("a deviation of 0", "image_std", [0, 0, 0], f"{PIXELS}|divide by zero"),
        ("a scale that is NaN", "rescale_factor", NAN, PIXELS),
        ("a scale of 10^30", "rescale_factor", 10**30, PIXELS),
        ("a filter that does not exist", "resample", 99, CANNOT),
        ("a class of the system", "image_processor_type", "os.system", "Unrecognized"),
    )),
    *(_processor(f"patches of {value!r} pixels", "patch_size", value, CANNOT)
      for value in (0, -1, NAN, "x", None)),
    *(_processor(f"{what} more tokens", "num_additional_image_tokens", value, says)
      for what, value, says in (("10^9", 10**9, "at most 1,000,000"), ("NaN", NAN, CANNOT))),
    *(_fault(f"eos_token_id is {value!r}", GENERATION, setting("eos_token_id", value, GENERATION),
             f"{GENERATION}: eos_token_id is .*expected")
      for value in ("x", [1, "x"], {"a": 1}, 10**30, NAN)),
    *(_fault(f"holds {held}", file, holding(file, held), rf"{file}: (holds|not valid JSON)")
      for file in (PROCESSOR, GENERATION, TOKENS, TOKENIZER, "special_tokens_map.json",
                   "added_tokens.json")
      for held in ("[]", "{")),
    *(_fault("a folder in its place", file, folder(file), f"{file}: is a folder")
      for file in (PROCESSOR, GENERATION, TOKENS, TOKENIZER)),
    _fault("a link to itself in its place", TOKENS, instead(TOKENS, lambda path: path.symlink_to(
        path.name)), f"{TOKENS}: is a link to nothing"),
    _fault("a pipe in it", TEMPLATES, folder(TEMPLATES, "a.jinja"), "a.jinja: is a pipe"),
    *(_fault("300 MB of NUL bytes", file, instead(file, sparse), "bytes, expected at most")
      for file in (GENERATION, TOKENS, TOKENIZER)),
    _fault("a million added tokens", TOKENIZER, setting("added_tokens", [{}] * 10**6, TOKENIZER),
           "added tokens, expected at most"),
    *(_fault(what, TOKENIZER, setting(key, value, TOKENIZER), "checkpoint: .*(vocabulary|expected"
             "|variant)") for what, key, value in (
        ("a merge of unknown tokens", "model.merges", [["zz", "qq"]]),
        ("merges that are a number", "model.merges", 5),
        ("an id below zero", "model.vocab", {"a": -1}),
        ("a model that does not exist", "model.type", "evil"),
    )),
    *(_fault(what, TOKENS, setting(key, value, TOKENS), f"checkpoint: .*{says}")
      for what, key, value, says in (
        ("a class that is a number", "tokenizer_class", 5, "'int' object"),
        ("code that is a number", "auto_map", 5, "'int' object"),
        ("a padding token that is a number", "pad_token", 5, "pad_token"),
        ("an added token without a number", "added_tokens_decoder", {"x": {"content": "a"}}, "int"),
        ("padding in the middle", "padding_side", "middle", "[Pp]adding side"),
        ("a special token that is a number", "extra_special_tokens", {"a": 5}, "[Ss]pecial token"),
        ("a method's name", "__class__", 1, "conflicts with the method"),
    )),
]  # fmt: skip
