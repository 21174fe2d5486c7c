"""One-sentence errors for a user's mistakes."""

import difflib
import errno
import re
import sys
from collections.abc import Callable, Iterable

MOST_NAMES = 30  # listed in a sentence


class UserError(Exception):
    """A mistake that the user can correct; its text is one sentence that says how."""


def shown(value: object, most: int = 80) -> str:
    """Return a value as text for a sentence, shortened in the middle if it is long.

    >>> shown("a" * 100, 20)
    "'aaaaaaaa…aaaaaaaaa'"
    """
    text = repr(value)
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-(most - 1 - half) :]}"


def shorter(error: object, most: int = 200) -> str:
    """Return an error's text on one line, shortened in the middle if it is long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[: most - 80]} … {text[-77:]}"


def without_secrets(error: object) -> str:
    """Return an error's text on one line, without what follows ? in addresses, and who signs in.

    >>> without_secrets("https://me:word@host/file?X-Signature=abc is gone")
    'https://host/file?… is gone'
    """
    text = " ".join(str(error).split())
    text = re.sub(r"(\w+://)[^\s/@]+@", r"\1", text)
    return re.sub(r"(/[^\s?]*\?)[^\s'\"<>()]+", r"\1…", text)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the end of an error sentence: the nearest valid name, and all names or some of many.

    >>> nearest("colour", ["color", "shape"])
    "did you mean 'color'? There are: color, shape"
    """
    names = sorted(str(v) for v in valid)
    close = difflib.get_close_matches(str(name), names, n=MOST_NAMES, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    if len(names) <= MOST_NAMES:
        return f"{hint}There are: {', '.join(names) or 'none'}"
    shown = close[1:6] or names[:5]
    return f"{hint}There are {len(names)}, such as {', '.join(shown)}"


def run(main: Callable[[list[str]], None]) -> None:
    """Run ``main(argv)``; exit with one sentence and status 1 on a UserError or a full disk."""
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"eyechart: error: {error}")
    except Exception as error:
        if not _is_full_disk(error):
            raise
        name = getattr(error, "filename", None)
        where = f" for {name}" if name else ""
        sys.exit(f"eyechart: error: no space left on the device{where}; free some and run again")


def _is_full_disk(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"(os error {errno.ENOSPC})" in str(error)  # safetensors only has a text
