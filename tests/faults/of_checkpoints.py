"""The files of a checkpoint's folder, read when its model is described."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from faults.injector import Fault
from tiny_models import build_clip, build_llava

from eyechart.core import errors
from eyechart.models import describe_model, watch

KIND = "Checkpoints"
BUILD = {"clip": build_clip, "llava": build_llava}
DEEP = '{"a":' * 20_000 + "1" + "}" * 20_000


@cache
def built(family: str) -> Path:
    """Return a small checkpoint, built once."""
    return BUILD[family](Path(tempfile.mkdtemp(dir="/tmp")) / family)


def written(family: str, change: Callable[[Path], Any]) -> list[str]:
    """Write a changed copy of a checkpoint, and return the words of the step that describes it."""
    change(Path(shutil.copytree(built(family), "checkpoint")))
    spec = {"family": family, "kind": "encoder" if family == "clip" else "vlm",
            "checkpoint": "checkpoint", "revision": None, "licence": "MIT", "dtype": "float32",
            "vision_blocks": 3, "lm_blocks": 0 if family == "clip" else 3}  # fmt: skip
    Path("a.yaml").write_text(yaml.safe_dump(spec))
    return ["--model", "a", "--spec", "a.yaml", "--checkpoint", "checkpoint",
            "--view", "view.png", "--output", "card.json"]  # fmt: skip


def described(family: str, change: Callable[[Path], Any] = lambda folder: None) -> Any:
    """Change a copy of a checkpoint and describe the model."""
    describe_model.main(written(family, change))
    return sorted(path.name for path in Path().glob("*.*")), ["a.yaml", "card.json", "view.png"]


def apart(change: Callable[[Path], Any]) -> None:
    """Describe a changed model in a process that is killed; raise the sentence that it leaves.

    It is killed after a second, since a test's processor time may be a small share of its time.
    """
    words = written("llava", change)
    if (process := os.fork()) == 0:
        os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT), 2)
        watch.SECONDS = 1
        torch.set_num_threads(1)
        try:
            describe_model.main(words)
        finally:
            os._exit(1)
    status = os.waitpid(process, 0)[1]
    assert os.WIFSIGNALED(status), status
    raise errors.UserError(errors.logged(Path("log").read_text())[0].removeprefix(errors.BEGIN))


def beside(name: str) -> Any:
    """Describe a checkpoint with an additional file; return the files that the card lists."""
    described("clip", holding(name, b"half"))
    card = json.loads(Path("card.json").read_text())
    return sorted(card["checkpoint"]), sorted(path.name for path in built("clip").iterdir())


def setting(key: str, value: Any, file: str = "config.json") -> Callable[[Path], Any]:
    """Return a function that sets a dotted key of a JSON file."""

    def change(folder: Path) -> None:
        held = section = json.loads((folder / file).read_text())
        *above, last = key.split(".")
        for name in above:
            section = section[name]
        section[last] = value
        (folder / file).write_text(json.dumps(held))

    return change


def holding(file: str, content: str | bytes) -> Callable[[Path], Any]:
    """Return a function that replaces a file."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / file).write_bytes(data)


def _fault(family: str, what: str, change: Callable[[Path], Any], says: str, where: str) -> Fault:
    return Fault(
        what,
        where,
        "refused",
        lambda: described(family, change),
        f"(checkpoint|chat template).*{says}",
    )


def _built(key: str, value: int, says: str = "expected at most") -> Fault:
    return _fault("llava", f"`{key}: {value}`", setting(key, value), says, "config.json")


def _template(what: str, text: str, says: str) -> Fault:
    return _fault("llava", what, holding("chat_template.jinja", text), says, "chat template")


def instead(name: str, make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return what makes something else in the place of a file."""
    return lambda folder: ((folder / name).unlink(missing_ok=True), make(folder / name))


def _killed(what: str, where: str, change: Callable[[Path], Any], says: str, long: bool) -> Fault:
    return Fault(what, where, "refused", lambda: apart(change), says, long)


PAIR = (
    "{% set n = namespace(a=(1,), b=(1,)) %}{% for i in range(60) %}"
    + "".join(f"{{% set n.{name} = (n.{name}, n.{name}) %}}" for name in "ab")
    + "{% endfor %}"
)  # each stands for 2^60 numbers
TEMPLATE, TOKENIZER = "chat_template.jinja", "tokenizer.json"
LATE = "its chat template takes more than 10 s"
TENFOLD = {"type": "Replace", "pattern": {"Regex": "."}, "content": "a" * 10}
BACKTRACKS = {"type": "Split", "pattern": {"Regex": "((.+)+)+\\d{99}"}, "behavior": "Isolated",
              "invert": False}  # fmt: skip
LOOPS = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
WEIGHTS = "model.safetensors"
FAULTS = [
    _built("text_config.num_hidden_layers", 10**7),
    _built("vision_config.num_hidden_layers", 10**7),
    _built("text_config.hidden_size", 10**9),
    _built("text_config.intermediate_size", 10**12),
    _built("text_config.vocab_size", 10**10),
    _built("text_config.num_attention_heads", 10**9),
    _built("vision_config.image_size", 10**7),
    _built("text_config.num_hidden_layers", -1, ""),
    _built("vision_config.patch_size", 0, ""),
    _fault("clip", "`num_labels: 10^30`", setting("num_labels", 10**30), "expected at most",
           "config.json"),
    _fault("clip", "`vision_feature_layer: evil`", setting("vision_feature_layer", "evil"),
           "vision_feature_layer is 'evil', expected a whole number", "config.json"),
    _fault("clip", "a size of zero pixels", setting("image_processor.size", {"shortest_edge": 0},
           "processor_config.json"), "cannot process it", "processor_config.json"),
    _fault("clip", "an edge of 10^9 pixels", setting("image_processor.crop_size.height", 10**9,
           "processor_config.json"), "expected at most", "processor_config.json"),
    _fault("clip", "20,000 nested objects", holding("config.json", DEEP), "nested", "config.json"),
    _fault("clip", "a list", holding("config.json", "[]"), "", "config.json"),
    _fault("clip", "cut off", holding("config.json", '{"model_type": "cl'), "", "config.json"),
    _fault("clip", "UTF-16", holding("config.json", "{}".encode("utf-16")), "", "config.json"),
    _fault("clip", "weights of other sizes", setting("vision_config.hidden_size", 20), "",
           "config.json"),
    _fault("clip", "empty", holding(WEIGHTS, b""), "", WEIGHTS),
    _fault("clip", "a header of 2^63 bytes", holding(WEIGHTS, b"\xff" * 7 + b"\x7f" + b"{}"), "",
           WEIGHTS),
    _fault("clip", "a pickle", holding(WEIGHTS, b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR."), "",
           WEIGHTS),
    _fault("clip", "deleted", lambda folder: (folder / WEIGHTS).unlink(), "", WEIGHTS),
    _fault("clip", "its first half", lambda folder: (folder / WEIGHTS).write_bytes(
           (folder / WEIGHTS).read_bytes()[:9000]), "", WEIGHTS),
    _fault("clip", "not JSON", holding("tokenizer.json", "nothing"), "", "tokenizer.json"),
    _template("three nested loops of 99,999 steps", LOOPS, "more than 10 s"),
    _template("a loop that makes 40 MB", "{% for a in range(40000) %}" + "x" * 1000
              + "{% endfor %}", "40000000 characters"),
    _template("a text that doubles 60 times", "{% set all = namespace(text='x') %}"
              "{% for a in range(60) %}{% set all.text = all.text ~ all.text %}{% endfor %}",
              "more than (2048 MiB|10 s)"),
    *(_killed(what, "chat template", holding(TEMPLATE, PAIR + text), LATE, long)
      for what, text, long in (
          ("a comparison of 2^60 numbers", "{{ n.a == n.b }}", False),
          ("2^60 numbers as text", "{{ n.a }}", True),
      )),
    _killed("a text that grows tenfold twelve times", TOKENIZER, setting("normalizer",
            {"type": "Sequence", "normalizers": [TENFOLD] * 12}, TOKENIZER),
            "not enough memory|its tokenizer takes more than", True),
    _fault("llava", "an endless regular expression", setting("pre_tokenizer", BACKTRACKS,
           TOKENIZER), "its tokenizer cannot take a prompt", TOKENIZER),
    *(_fault("clip", f"a {what} in its place", instead("config.json", make),
             "is a pipe or a device", "config.json")
      for what, make in (("pipe", os.mkfifo), ("device without end", lambda path:
                                               path.symlink_to("/dev/zero")))),
    _template("a syntax error", "{% for %}", "cannot be rendered"),
    _template("a system call",
              "{{ ''.__class__.__mro__[1].__subclasses__()[0]('touch pwned') }}",
              "cannot be rendered"),
    _template("an error that it raises", "{{ raise_exception('no\nway') }}",
              "cannot be rendered"),
    _template("a template without the image", "{{ messages[0].role }}: ?", ""),
    Fault("still written by another process", WEIGHTS, "accepted",
          lambda: beside(f".{WEIGHTS}.partial-0123abcd-7")),
    Fault("unchanged", "config.json", "accepted", lambda: described("llava")),
]  # fmt: skip
