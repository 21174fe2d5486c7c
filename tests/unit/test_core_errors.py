"""A user's mistake ends with one sentence and exit status 1; a bug keeps its traceback."""

import errno
import os
import resource
import subprocess
import sys

import pytest
from documented_commands import ROOT

from eyechart.core import memory
from eyechart.core.errors import UserError, lacks, logged, nearest, run, sentence

_LACK = "not enough memory; lift the limit (ulimit -v, the job's mem_mb) and run again"


def raiser(error: Exception):
    def main(argv: list[str]) -> None:
        raise error

    return main


def test_a_user_error_is_a_one_sentence_error() -> None:
    with pytest.raises(SystemExit) as caught:
        run(raiser(UserError("a.yaml: key 'x' is 3, expected at least 4")))
    assert caught.value.code == "eyechart: error: a.yaml: key 'x' is 3, expected at least 4"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_one_sentence_error_with_the_file(number: int) -> None:
    with pytest.raises(SystemExit) as caught:
        run(raiser(OSError(number, "full", "results/part-000.parquet")))
    assert "no space left on the device for results/part-000.parquet" in str(caught.value.code)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "results/a"), "'results/a'; get the"),
        (OSError(errno.EROFS, "Read-only file system", "logs"), "'logs'; mount it writable, or"),
        (OSError(errno.EFBIG, "File too large"), "File too large; lift the limit of file sizes"),
        (MemoryError(), "not enough memory; lift the limit"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), "not enough memory; lift"),
        (RuntimeError("std::bad_alloc"), "not enough memory; lift"),
        (ImportError("a.so: failed to map segment from shared object"), "not enough memory; lift"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory; lift"),
        (ValueError("I/O error: No space left on device (os error 28)"), "no space left on the"),
        (ValueError("I/O error: File too large (os error 27)"), "lift the limit of file sizes"),
        (OSError(errno.ENOSPC, "full", "data/a", None, "b"), "no space left on the device for b;"),
        (RuntimeError("can't start new thread"), "lift the limit of processes (ulimit -u) or of"),
    ],
)
def test_system_errors_are_one_sentence(error: Exception, says: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run(raiser(error))
    assert says in str(caught.value.code) and "\n" not in str(caught.value.code)


def test_an_error_of_onednn_means_a_lack_of_memory_only_if_memory_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = RuntimeError("could not create a primitive")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY,) * 2)
    assert sentence(error) is None
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (8 << 30,) * 2)
    assert sentence(error) == _LACK


def caused(error: Exception, cause: Exception, how: str = "__context__") -> Exception:
    """Return an error that was raised while another one was handled, or from it."""
    setattr(error, how, cause)
    return error


def test_the_cause_of_an_error_is_reported_if_a_resource_is_lacking() -> None:
    part = ImportError("a.so: failed to map segment from shared object")
    for how in ("__context__", "__cause__"):
        error = caused(NameError("name '_part' is not defined"), part, how)
        assert lacks(error) and sentence(error) == _LACK
    error = caused(RuntimeError("cannot read"), OSError(errno.EMFILE, "Too many open files"))
    assert str(sentence(error)).startswith("[Errno 24] Too many open files; lift the limit of open")
    other = caused(KeyError("x"), ValueError("not a number"))
    assert not lacks(other) and sentence(other) is None
    user = caused(UserError("a.png: damaged"), MemoryError())
    assert not lacks(user) and sentence(user) == "a.png: damaged"


def test_any_other_error_is_a_bug_and_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError):
        run(raiser(FileNotFoundError(errno.ENOENT, "no", "a")))
    with pytest.raises(KeyError):
        run(raiser(KeyError("x")))


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (MemoryError(), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (ImportError("libc10.so: cannot open shared object file: Too many open files"), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (ValueError("not an image"), False),
        (UserError("a.png: not enough: can't allocate memory"), False),
    ],
)
def test_a_lack_of_resources_is_distinguished_from_bad_input(
    error: Exception, lacking: bool
) -> None:
    assert lacks(error) == lacking


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("loading\neyechart: error: a.yaml: no such file\n", ["a.yaml: no such file"]),
        ("\rdrawing: 5%| 1/9 [00:01<00:09, 1 s/it]eyechart: error: a: damaged\n", ["a: damaged"]),
        ("Traceback\nImportError: a.so: failed to map segment from shared object\n", [_LACK]),
        ("terminate called\n  what():  std::bad_alloc\n", [_LACK]),
        ("memory allocation of 4096 bytes failed\n", [_LACK]),
        ("OpenBLAS error: Memory allocation still failed after 10 retries\n", [_LACK]),
        ("Traceback\nMemoryError: \n", [_LACK]),
        ("Traceback\nKeyError: 'x'\n", []),
    ],
)
def test_a_log_states_why_its_step_ended(log: str, says: list[str]) -> None:
    assert logged(log) == [f"eyechart: error: {sentence}" for sentence in says]


def told(words: list[str], limit: int = resource.RLIM_INFINITY) -> str:
    """Return what Python prints that ends with status 1."""
    ended = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1 and not ended.stdout
    return ended.stderr


@pytest.mark.parametrize("limit", [200_000_000, 600_000_000, memory.LEAST - 1])
def test_a_step_with_too_little_memory_to_import_its_modules_ends_at_once(limit: int) -> None:
    said = told(["-m", "eyechart.extraction.extract_activations", "--help"], limit)
    assert said == (
        f"eyechart: error: not enough memory: the limit is {limit // 10**6:,} MB, expected at "
        "least 1,500; lift the limit (ulimit -v) and run again\n"
    )


def test_an_import_that_fails_ends_with_one_sentence_if_memory_ran_out() -> None:
    locating = "import sys; sys.argv = ['-m']; import eyechart; raise ImportError('a.so: {}')"
    said = told(["-c", locating.format("failed to map segment from shared object")])
    assert said == f"eyechart: error: {_LACK}\n"
    said = told(["-c", locating.format("undefined symbol")])
    assert said.startswith("Traceback") and said.endswith("ImportError: a.so: undefined symbol\n")


def test_the_nearest_name_is_offered_and_all_are_listed_in_order() -> None:
    assert nearest("colour", ["shape", "color"]) == "did you mean 'color'? There are: color, shape"
    assert nearest("zzz", ["shape", "color"]) == "There are: color, shape"
    assert nearest("x", []) == "There are: none"


def test_of_many_names_only_the_nearest_are_listed() -> None:
    names = [f"model_{n}" for n in range(70)]
    told = nearest("model_7x", names)
    assert told.startswith("did you mean 'model_7'? There are 70, such as model_")
    assert len(told) < 120
    assert "model_0" in nearest("zebra", names)
