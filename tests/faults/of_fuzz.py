"""Images, archives, config files and model folders with seeded random changes.

Each is accepted or refused with one sentence; nothing is written outside the project's folder.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from faults import of_archives, of_checkpoints, of_images
from faults.injector import MOST_SECONDS, Fault, time_limit
from faults.of_numbers import SMALL

from eyechart.core.config_files import read
from eyechart.core.errors import UserError
from eyechart.data.open_image import check_images
from eyechart.data.sources.archive import unpack
from eyechart.plan.config.check import check

KIND = "Fuzz"
SEED = 16
VALUES = (b"\0", b"\xff", b"\x80", b"\n", b"-1", b"9" * 30, b"null", b"[", b"{", b"\xff\xfe", b"..")


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Return a copy of the bytes with some changed, repeated, removed, moved or replaced."""
    held = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at = dice.randrange(len(held) + 1)
        to = min(len(held), at + dice.choice((1, 1, 4, 64, 4096)))
        match dice.randrange(6):
            case 0 if at < len(held):
                held[at] ^= 1 << dice.randrange(8)
            case 1:
                held[at:to] = dice.randbytes(to - at)
            case 2:
                del held[at:to]
            case 3:
                held[at:at] = held[at:to]
            case 4:
                held[at:to] = dice.choice(VALUES)
            case _:
                held[at:] = held[at:][: dice.randrange(len(held) + 1)]
    return bytes(held)


def image(dice: random.Random) -> None:
    kind = dice.choice(list(of_images.ENDINGS))
    Path("a.png").write_bytes(mutate(of_images.saved(kind), dice))
    check_images(Path(), ["a.png"], {})


def archive(dice: random.Random) -> None:
    name = dice.choice(list(of_archives.WHOLE))
    Path(name).write_bytes(mutate(of_archives.WHOLE[name], dice))
    shutil.rmtree("root", ignore_errors=True)
    unpack(Path(name), Path("root"), of_archives.keep)


def config(dice: random.Random) -> None:
    Path("a.yaml").write_bytes(mutate(yaml.safe_dump(SMALL, sort_keys=False).encode(), dice))
    check(read("a.yaml"), ["a.yaml"])


def folder(dice: random.Random) -> None:
    family = dice.choice(list(of_checkpoints.BUILD))
    names = sorted(path.name for path in of_checkpoints.built(family).iterdir())
    changed = dice.choice(names)
    shutil.rmtree("checkpoint", ignore_errors=True)

    def change(folder: Path) -> None:
        (folder / changed).write_bytes(mutate((folder / changed).read_bytes(), dice))

    of_checkpoints.described(family, change)


def fuzzed(step: Callable[[random.Random], None], first: int, count: int) -> Any:
    """Run a step with many mutations; return how many ended with a sentence or were accepted."""
    ends: Counter[str] = Counter()
    for n in range(first, first + count):
        try:
            with time_limit(MOST_SECONDS):  # for one mutation; the injector's limit is for all
                step(random.Random(f"{SEED} {step.__name__} {n}"))
            ends["ended well"] += 1
        except UserError as error:
            one = "\n" not in str(error) and len(str(error)) < 600
            ends["ended well" if one else f"{n}: {error}"] += 1
        except BaseException as error:
            ends[f"{n}: {type(error).__name__} {error}"] += 1
    return ends, Counter({"ended well": count})


KINDS = {"an image": (image, 170), "an archive": (archive, 130), "a config file": (config, 120),
         "a model's folder": (folder, 80)}  # fmt: skip
FAULTS = [
    Fault(f"mutations {n * count // 5 + 1} to {(n + 1) * count // 5}", what, "accepted",
          partial(fuzzed, step, n * count // 5, count // 5), long=True)
    for what, (step, count) in KINDS.items() for n in range(5)
]  # fmt: skip
