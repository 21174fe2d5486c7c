"""Hold this process at one call of some functions; ``stopping_steps.hold`` installs this file.

Python imports this file on startup. ``hold.json`` next to it has the functions, the number of the
call (counted over all functions) before which the process stops, and a file. The process then
writes its id to that file, to notify the waiting test, and continues once ``hold.json`` is removed.
With number 0, no process stops; instead, each appends its number of calls and its command to the
file when it ends.
"""

import atexit
import functools
import importlib.abc
import importlib.util
import itertools
import json
import os
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
    """A finder that finds modules as usual, and replaces their functions once they are loaded."""

    def __init__(self, functions: dict[str, list[str]], call: int, reached: str) -> None:
        self.functions, self.call, self.reached = functions, call, Path(reached)
        self.calls = itertools.count(1)
        for module in functions.keys() & sys.modules.keys():
            self.replace(sys.modules[module])
        if not call:
            atexit.register(self.tell)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.functions:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        assert spec and spec.loader
        load = spec.loader.exec_module

        def load_and_replace(module: ModuleType) -> None:
            load(module)
            self.replace(module)

        spec.loader.exec_module = load_and_replace  # type: ignore[method-assign]
        return spec

    def replace(self, module: ModuleType) -> None:
        for function in self.functions.pop(module.__name__):
            owner, _, name = function.rpartition(".")
            holder = attrgetter(owner)(module) if owner else module
            setattr(holder, name, self.held(getattr(holder, name)))

    def held(self, original: Any) -> Any:
        @functools.wraps(original)
        def held(*args: Any, **kwargs: Any) -> Any:
            if next(self.calls) == self.call:
                partial = f"{self.reached}.{os.getpid()}"
                with open(partial, "w") as handle:
                    handle.write(str(os.getpid()))
                os.rename(partial, self.reached)  # noqa: PTH104  (Path's may be held)
                while HOLD.exists():
                    time.sleep(0.05)
            return original(*args, **kwargs)

        return held

    def tell(self) -> None:
        with open(self.reached, "a") as handle:
            handle.write(f"{next(self.calls) - 1} {' '.join(sys.orig_argv)}\n")


found = json.loads(HOLD.read_text())
if found.pop("only") in " ".join(sys.orig_argv):
    sys.meta_path.insert(0, Finder(**found))
