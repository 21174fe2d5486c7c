"""One-sentence errors for a user's mistakes."""

import difflib
import errno
import re
import sys
from collections.abc import Callable, Iterable

MOST_NAMES = 30  # listed in a sentence
MOST_CHARACTERS = 200  # of what the system says
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
# What the system refuses, and what the user can do about it
ADVICE = {
    errno.EACCES: "get the permission",
    errno.EPERM: "get the permission",
    errno.EROFS: "mount it writable, or work in another folder",
    errno.EFBIG: "lift the limit of file sizes (ulimit -f)",
    errno.EMFILE: "lift the limit of open files (ulimit -n)",
    errno.EIO: "check the disk",
    errno.ESTALE: "check the network file system",
    errno.EISDIR: "move the folder away",
    errno.ENOTDIR: "move away the file that is in the place of a folder",
    errno.ELOOP: "delete the link that leads to itself",
}


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
    """Run ``main(argv)``; exit with one sentence and status 1 where :func:`sentence` has one."""
    try:
        main(sys.argv[1:])
    except Exception as error:
        said = sentence(error)
        if said is None:
            raise
        sys.exit(f"eyechart: error: {said}")


def sentence(error: Exception) -> str | None:
    """Return what to tell the user instead of a traceback; None for a fault of the program.

    That is a UserError's own text, or what the system refused: disk, permission, memory.
    """
    if isinstance(error, UserError):
        return str(error)
    text = " ".join(str(error).split())[:MOST_CHARACTERS]
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return "not enough memory; lift the limit (ulimit -v, the job's mem_mb) and run again"
    code = getattr(error, "errno", None)
    if code in DISK_IS_FULL or f"(os error {errno.ENOSPC})" in text:  # safetensors only has a text
        name = getattr(error, "filename", None)
        where = f" for {name}" if name else ""
        return f"no space left on the device{where}; free some and run again"
    return f"{text}; {ADVICE[code]} and run again" if code in ADVICE else None
