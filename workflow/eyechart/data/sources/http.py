"""Fetch one large file over HTTP: resumed after interruptions, hashed while streaming.

Neither pooch nor huggingface_hub is used here. pooch restarts an interrupted download.
huggingface_hub only serves the hub, and checks the size of a file, but not its hash, before
renaming it.
"""

import hashlib
import logging
import os
import shutil
import time
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3.exceptions import ConnectTimeoutError, ProxyError, SSLError

from eyechart.core import files
from eyechart.core.errors import UserError, shorter, shown, without_secrets

_PAUSE_S = 2.0  # pause after the first interruption; doubled each time
_LONGEST_PAUSE_S = 60.0
_PATIENCE_S = 600.0  # total pauses without a new byte
_UNREACHED_S = 120.0  # the same if no server was reached: its name may be wrong
_TIMEOUT_S = 60.0
_CHUNK = 1 << 20
BUSY = (408, 429)  # and all from 500: the server may answer later
_CUT_OFF = requests.exceptions.ChunkedEncodingError
_BREAKS = (requests.ConnectionError, requests.Timeout, _CUT_OFF)
Headers = dict[str, str]
_log = logging.getLogger(__name__)
_sleep = time.sleep


class _Break(requests.ConnectionError):
    """A failure of the server after which a retry may succeed."""


class Patience:
    """Growing pauses between attempts, up to a total time.

    The time includes pauses but not attempts: two minutes if no server was reached, otherwise ten.
    It restarts with every new byte.
    """

    def __init__(self, reached: bool = False) -> None:
        self.reached = reached
        self.renew()

    def renew(self) -> None:
        """Restart the time."""
        self.attempts, self.waited = 0, 0.0

    def wait(self) -> bool:
        """Pause before another attempt; return whether there is time for one."""
        pause = min(_PAUSE_S * 2**self.attempts, _LONGEST_PAUSE_S)
        self.attempts += 1
        if self.waited + pause > (_PATIENCE_S if self.reached else _UNREACHED_S):
            return False
        self.waited += pause
        _sleep(pause)
        return True

    def __str__(self) -> str:
        """Return the number of attempts and the time, for a message."""
        return f"{self.attempts} times in a row, with {self.waited:.0f} s of pauses"


class _Part:
    """The growing ``<file>.part``, with the running SHA-256 of its content.

    ``size`` is the final number of bytes; None until the server sends it.
    """

    def __init__(self, final: Path, size: int | None) -> None:
        self.final, self.size = final, size
        self.path = final.with_name(final.name + ".part")
        # version of the server's file to which the bytes belong: its ETag or date
        self.version = final.with_name(final.name + ".part.version")
        self.hasher, self.bytes = hashlib.sha256(), 0
        if self.path.exists():
            with open(self.path, "rb") as handle:
                self.hasher = hashlib.file_digest(handle, "sha256")
            self.bytes = self.path.stat().st_size

    @property
    def is_full(self) -> bool:
        return self.size is not None and self.bytes >= self.size

    def restart(self, version: str) -> None:
        files.write_text(self.version, version)
        self.path.write_bytes(b"")
        self.hasher, self.bytes = hashlib.sha256(), 0

    def append(self, chunk: bytes) -> None:
        with open(self.path, "ab") as handle:
            handle.write(chunk)
        self.hasher.update(chunk)
        self.bytes += len(chunk)

    def finish(self) -> None:
        with open(self.path, "rb") as handle:
            os.fsync(handle.fileno())
        self.path.replace(self.final)


def fetch(
    url: str, path: Path, size: int | None, sha256: str | None, headers: Headers | None = None
) -> None:
    """Download a URL to ``path``, atomically and verified.

    An existing file is only verified. Bytes fetched by an interrupted run are kept in
    ``<path>.part`` and not requested again. If the server's file has changed or the server does not
    support ranges, the download restarts. Raise a UserError if the disk has too little space, if
    the server refuses or does not respond, or if size or checksum differ (the file is then
    removed).

    Parameters
    ----------
    url, path : the HTTP or HTTPS URL, and the final name
    size : expected bytes; None if only the server knows
    sha256 : expected hash, 64 hex digits; None if the caller checks in another way
    headers : additional headers, e.g. authorization; dropped on redirects to another host
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        found = files.describe(path)
        _verify(url, path, (found["bytes"], found["sha256"]), (size, sha256))
        return
    part = _Part(path, size)
    if part.size is not None:
        _check_room(path, part.size - part.bytes)
    _complete(url, part, headers or {})
    part.path.touch()  # nothing is fetched for an empty file
    part.version.unlink(missing_ok=True)
    _verify(url, part.path, (part.bytes, part.hasher.hexdigest()), (size, sha256))
    part.finish()


def _verify(
    url: str, path: Path, found: tuple[int, str], wanted: tuple[int | None, str | None]
) -> None:
    expected = (found[0] if wanted[0] is None else wanted[0], wanted[1] or found[1])
    if found != expected:
        path.unlink()
        raise UserError(
            f"{path}: found {found[0]} bytes with sha256 {found[1]}, expected {expected[0]} bytes "
            f"with sha256 {wanted[1]}, so the file was removed; run again to fetch it from "
            f"{without_secrets(url)}"
        )


def _check_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    to_fetch, available = (tqdm.format_sizeof(n, "iB", 1024) for n in (max(needed, 0), free))
    _log.info("%s: %s to fetch, %s free", path, to_fetch, available)
    if needed > free:
        raise UserError(
            f"{path}: {to_fetch} to fetch, but {path.parent} has {available} free; free some and "
            "run again"
        )


def _complete(url: str, part: _Part, own: Headers) -> None:
    patience, most = Patience(), part.bytes
    shown = {"initial": part.bytes, "unit": "B", "unit_scale": True}
    progress = tqdm(None, part.path.name, part.size, **shown)
    with requests.Session() as session, progress:
        if own:
            session.auth = _as_given  # otherwise ~/.netrc would override the caller's headers
        while not part.is_full:
            try:
                _stream(session, url, part, progress, own)
            except _BREAKS as error:
                why, reached = _reason(error)
                patience.reached |= reached
                if part.bytes > most:  # a server without ranges restarts each time
                    most = part.bytes
                    patience.renew()
                if not patience.wait():
                    raise UserError(
                        f"{without_secrets(url)}: interrupted {patience} ({why}); {part.bytes} of "
                        f"{part.size or '?'} bytes are kept in {part.path}; run again to continue"
                    ) from None
                _log.info("%s: %s; trying again", without_secrets(url), why)
            except (requests.RequestException, ValueError) as error:  # redirects without an address
                why = shorter(without_secrets(error))
                raise UserError(
                    f"{without_secrets(url)}: cannot be fetched ({why}); correct the address"
                ) from None


def _reason(error: requests.RequestException) -> tuple[str, bool]:
    """Return a short reason why a transfer failed, and whether a server was reached."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, ConnectTimeoutError | ProxyError | SSLError):
        return without_secrets(cause).rpartition(": ")[2], False
    if isinstance(error, _Break):
        return str(error), True
    late = isinstance(error, requests.Timeout)
    return f"no answer in {_TIMEOUT_S:.0f} s" if late else "the connection was cut", True


def _stream(session: requests.Session, url: str, part: _Part, progress: tqdm, own: Headers) -> None:
    # identity: otherwise lengths would not be those of the file
    headers = {**own, "Accept-Encoding": "identity"}
    if part.bytes:
        headers["Range"] = f"bytes={part.bytes}-"
        if part.version.exists() and (version := part.version.read_text(encoding="utf-8")):
            headers["If-Range"] = version
    with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        _begin(response, part)
        progress.total = part.size
        progress.update(part.bytes - progress.n)
        for chunk in response.iter_content(_CHUNK):
            part.append(chunk)
            progress.update(len(chunk))
            if part.bytes > (part.size or 0):
                return  # more bytes than expected are an error; do not fill the disk with them
    if not part.is_full:
        raise _Break("the connection ended early")


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _begin(response: requests.Response, part: _Part) -> None:
    status, content_range = response.status_code, response.headers.get("Content-Range", "")
    if status == 206 and content_range.startswith(f"bytes {part.bytes}-"):
        _learn(response, part, content_range.rpartition("/")[2])
        return
    if status in (206, 416):  # a different range than requested, or none left: restart
        part.restart("")
        raise _Break(f"HTTP {status} with a wrong range")
    if status in BUSY or status >= 500:
        raise _Break(f"HTTP {status}")
    address = without_secrets(response.url)
    if status != 200:
        raise UserError(f"{address}: HTTP {status}; correct the address")
    length = response.headers.get("Content-Length")
    if part.size is not None and length is not None and length != str(part.size):
        raise UserError(f"{address}: the server has {shown(length)} bytes, expected {part.size}")
    etag = response.headers.get("ETag", "")
    # a weak ETag does not guarantee equal bytes (RFC 9110, 13.1.5)
    strong = etag if not etag.startswith("W/") else ""
    part.restart(strong or response.headers.get("Last-Modified", ""))
    _learn(response, part, length or "")


def _learn(response: requests.Response, part: _Part, size: str) -> None:
    """Set the size from the server's response if none is given."""
    if part.size is not None:
        return
    if not size.isdecimal():
        raise UserError(
            f"{without_secrets(response.url)}: neither the server nor the table of versions gives "
            "its size, so a truncated file could not be detected; add it to the table"
        )
    part.size = int(size)
    _check_room(part.final, part.size - part.bytes)
