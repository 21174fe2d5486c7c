"""An eye exam for vision-language models."""

import sys

from eyechart.core import collection

if sys.argv[:1] == ["-m"]:  # `python -m` is locating a step, which resumes collection
    collection.pause()
