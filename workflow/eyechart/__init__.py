import sys

if sys.argv[:1] == ["-m"]:  # a step, whose imports may already need more memory than it may have
    from eyechart.core import errors

    sys.excepthook = errors.tell
