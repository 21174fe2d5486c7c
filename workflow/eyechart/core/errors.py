"""One-sentence errors for a user's mistakes."""

import difflib
import errno
import os
import re
import resource
import sys
from collections.abc import Callable, Iterable
from types import TracebackType

BEGIN = "eyechart: error:"
_SENTENCE = re.compile(rf"(?:^|(?<=\])){BEGIN}.*", re.MULTILINE)  # a progress bar ends with ]
MOST_NAMES = 30  # maximum number listed in a sentence
MOST_CHARACTERS = 200  # of a system message
MOST_CAUSES = 20  # maximum number of errors in a chain that are read
# Characters besides paths and checksums; a sentence with more than TOLERATED is shortened
MOST_SENTENCE, TOLERATED = 300, 400
_NOT_COUNTED = re.compile(r"/[^\s:;,)]+|\b[0-9a-f]{64}\b")
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
# Library messages without an errno that mean that memory ran out
_MEMORY = re.compile(
    r"can('t|not) allocate memory|bad_alloc|failed to map segment|unable to mmap|malloc of size|"
    r"memory allocation of \d+ bytes failed|memory allocation still failed|^MemoryError",
    re.IGNORECASE | re.MULTILINE,
)
# A message of oneDNN that has other causes if memory is not limited
_PERHAPS_MEMORY = re.compile(r"^could not (create|execute) an? (primitive|memory)")
_NO_MEMORY = "not enough memory; lift the limit (ulimit -v, the job's mem_mb) and run again"
_NUMBER = re.compile(r"\((?:os error|\[?errno) (\d+)\]?\)")  # in messages of Rust libraries
# Advice for system errors
ADVICE = {
    errno.EACCES: "get the permission",
    errno.EPERM: "get the permission",
    errno.EROFS: "mount it writable, or work in another folder",
    errno.EFBIG: "lift the limit of file sizes (ulimit -f)",
    errno.EMFILE: "lift the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, which have too many files open,",
    errno.EAGAIN: "lift the limit of processes (ulimit -u) or of memory (ulimit -v)",
    errno.EIO: "check the disk",
    errno.ESTALE: "check the network file system",
    errno.EISDIR: "move the folder away",
    errno.ENOTDIR: "move the file that is where a folder should be",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ELOOP: "delete the link that leads to itself",
}
LACKS = (*DISK_IS_FULL, errno.ENOMEM, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EAGAIN)


class UserError(Exception):
    """A mistake that the user can correct; its text is one sentence that explains how.

    Values from an untrusted file can be long or have control characters, so the text is shortened
    in the middle, and such characters are escaped.
    """

    def __str__(self) -> str:
        """Return the sentence on one line."""
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in super().__str__())
        found = _NOT_COUNTED.findall(text)
        more = sum(len(one) - 1 for one in found if len(one) < MOST_SENTENCE)
        return shorter(text, MOST_SENTENCE + more) if len(text) > more + TOLERATED else text


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
    """Return an error's text on one line, without query strings and credentials in URLs.

    >>> without_secrets("https://me:word@host/file?X-Signature=abc is gone")
    'https://host/file?… is gone'
    """
    text = " ".join(str(error).split())
    text = re.sub(r"(\w+://)[^\s/@]+@", r"\1", text)
    return re.sub(r"(/[^\s?]*\?)[^\s'\"<>()]+", r"\1…", text)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the end of an error sentence: the nearest valid name, and all or some valid names.

    >>> nearest("colour", ["color", "shape"])
    "did you mean 'color'? There are: color, shape"
    """
    names = sorted(str(v) for v in valid)
    close = difflib.get_close_matches(str(name), names, n=MOST_NAMES, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    if len(names) <= MOST_NAMES:
        return f"{hint}There are: {', '.join(names) or 'none'}"
    shown = close[1:6] or names[:5]
    return f"{hint}There are {len(names)}, such as {shorter(', '.join(shown), 150)}"


def run(main: Callable[[list[str]], None]) -> None:
    """Run ``main(argv)``; exit with one sentence and status 1 if :func:`sentence` returns one."""
    try:
        main(sys.argv[1:])
    except Exception as error:
        said = sentence(error)
        if said is None:
            raise
        sys.exit(f"{BEGIN} {said}")


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an uncaught error: one sentence if :func:`sentence` returns one, or its traceback.

    As ``sys.excepthook`` it also covers a step's imports, which fail if memory runs out.
    """
    said = sentence(error)
    if said is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"{BEGIN} {said}", file=sys.stderr)


def sentence(error: BaseException) -> str | None:
    """Return the sentence to show instead of a traceback, or None for a bug in the program.

    It is a UserError's text, or a description of a system error: disk, permission, memory.
    """
    if isinstance(error, UserError):
        return str(error)
    error = _origin(error)
    text, code = " ".join(str(error).split())[:MOST_CHARACTERS], _code(error)
    if code == errno.ENOMEM:
        return _NO_MEMORY
    if code in DISK_IS_FULL:
        # of a copy, the second file is written
        name = getattr(error, "filename2", None) or getattr(error, "filename", None)
        where = f" for {name}" if name else ""
        return f"no space left on the device{where}; free some and run again"
    return f"{text}; {ADVICE[code]} and run again" if code in ADVICE else None


def logged(text: str) -> list[str]:
    """Return the sentences in a step's log: its own, or one about running out of memory.

    If libraries fail to load or end the process themselves, no error reaches :func:`run`.
    """
    own = _SENTENCE.findall(text)
    return own or ([f"{BEGIN} {_NO_MEMORY}"] if _MEMORY.search(text) else [])


def lacks(error: BaseException) -> bool:
    """Return whether the machine lacks a resource, so the input may well be valid."""
    return not isinstance(error, UserError) and _code(_origin(error)) in LACKS


def _origin(error: BaseException) -> BaseException:
    """Return the error in a chain of causes that reports a lack of a resource, or the last error.

    A library that cannot load one of its parts may then raise an error about the missing part.
    """
    found: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if found is None or isinstance(found, UserError):
            break
        if _code(found) in LACKS:
            return found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return error


def _code(error: BaseException) -> int | None:
    """Return the errno of a system error; many libraries only keep its message."""
    text = str(error)
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return errno.ENOMEM
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if _PERHAPS_MEMORY.search(text) and limit != resource.RLIM_INFINITY:
        return errno.ENOMEM
    if "can't start new thread" in text:
        return errno.EAGAIN
    if os.strerror(errno.EMFILE) in text:  # also of a library that cannot be loaded
        return errno.EMFILE
    if found := _NUMBER.search(text):
        return int(found[1])
    return getattr(error, "errno", None)
