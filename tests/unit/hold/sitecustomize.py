"""Hold this process at one call of one function; ``stopping_steps.hold`` puts this file in place.

Python imports it when it starts. ``hold.json`` beside it names the function, the number of the call
before which the process stops, and the file that is made there, so that whoever waits knows. The
process goes on if ``hold.json`` is removed.
"""

import functools
import importlib.abc
import importlib.util
import itertools
import json
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

HOLD = Path(__file__).with_name("hold.json")


class Finder(importlib.abc.MetaPathFinder):
    """Find the one module as usual, and replace the function once the module is loaded."""

    def __init__(self, module: str, function: str, call: int, reached: str) -> None:
        self.module, self.function, self.call, self.reached = module, function, call, Path(reached)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec and spec.loader
        load = spec.loader.exec_module

        def load_and_replace(module: ModuleType) -> None:
            load(module)
            self.replace(module)

        spec.loader.exec_module = load_and_replace  # type: ignore[method-assign]
        return spec

    def replace(self, module: ModuleType) -> None:
        owner, _, name = self.function.rpartition(".")
        holder = attrgetter(owner)(module) if owner else module
        original, calls = getattr(holder, name), itertools.count(1)

        @functools.wraps(original)
        def held(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == self.call:
                self.reached.touch()
                while HOLD.exists():
                    time.sleep(0.05)
            return original(*args, **kwargs)

        setattr(holder, name, held)


sys.meta_path.insert(0, Finder(**json.loads(HOLD.read_text())))
