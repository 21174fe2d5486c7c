"""An eye exam for vision-language models."""

import sys

from eyechart.core import collection, errors

if sys.argv[:1] == ["-m"]:  # `python -m` is locating a step, which will import its modules
    collection.pause()  # until the step starts
    sys.excepthook = errors.show
