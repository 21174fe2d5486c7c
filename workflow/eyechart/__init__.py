"""An eye exam for vision-language models."""

import sys

from eyechart.core import collection, errors, memory

if sys.argv[:1] == ["-m"]:  # `python -m` is locating a step, which will import its modules
    sys.excepthook = errors.show
    memory.check_limit()
    collection.pause()  # until the step starts
