"""Fetch one large file over HTTP: resumed after interruptions, hashed while streaming.

Neither pooch nor huggingface_hub is used here. pooch restarts an interrupted download.
huggingface_hub only serves the hub, and checks the size of a file, but not its hash, before
renaming it.
"""

import logging
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3 import exceptions

from eyechart.core import files
from eyechart.core.errors import UserError, shorter, shown, without_secrets
from eyechart.data.sources import patience
from eyechart.data.sources.partial_file import PartialFile
from eyechart.data.sources.patience import BUSY, Patience, deadline

_SLOWEST = 1_000  # bytes per second, on average over TIMEOUT_S
_CHUNK = 1 << 20
_LATE, _CUT = "no answer in time", "the connection was cut"
_LATE_ERRORS = (requests.Timeout, exceptions.ReadTimeoutError, TimeoutError)
_BREAKS = (requests.ConnectionError, *_LATE_ERRORS)
_UNREACHED = (exceptions.ConnectTimeoutError, exceptions.ProxyError, exceptions.SSLError)
Headers = dict[str, str]
_PAGE = re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE)
_log = logging.getLogger(__name__)


class _Break(requests.ConnectionError):
    """A failure of the server after which a retry may succeed."""


class _Slow(_Break):
    """A server that hardly sends anything; its bytes are kept, but do not renew the patience."""


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
    part = PartialFile(path, size, sha256 is not None, _CHUNK)
    if part.size is not None:
        _check_room(path, part.size - part.bytes)
    _complete(url, part, headers or {})
    part.complete()  # nothing is fetched for an empty file
    _verify(url, part.path, (part.bytes, part.hasher.hexdigest()), (size, sha256))
    part.finish()


def _verify(
    url: str, path: Path, found: tuple[int, str], wanted: tuple[int | None, str | None]
) -> None:
    expected = (found[0] if wanted[0] is None else wanted[0], wanted[1] or found[1])
    if found != expected:
        path.unlink()
        digest = f" with sha256 {wanted[1]}" if wanted[1] else ""
        raise UserError(
            f"{path}: found {found[0]} bytes with sha256 {found[1]}, expected {expected[0]} bytes"
            f"{digest}, so the file was removed; run again to fetch it from {without_secrets(url)}"
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


def _complete(url: str, part: PartialFile, own: Headers) -> None:
    left, most = Patience(), part.bytes
    shown = {"initial": part.bytes, "unit": "B", "unit_scale": True}
    progress = tqdm(None, part.path.name, part.size, **shown)
    with requests.Session() as session, progress:
        if own:
            session.auth = lambda request: request  # otherwise ~/.netrc would override it
        session.hooks["response"].append(_close_redirect)
        while not part.is_full:
            try:
                _stream(session, url, part, progress, own)
            except _BREAKS as error:
                why, reached = _reason(error, url)
                left.reached |= reached
                if part.bytes > most:  # a server without ranges restarts each time
                    most = part.bytes
                    if not isinstance(error, _Slow):
                        left.renew()
                if not left.wait():
                    raise UserError(
                        f"{without_secrets(url)}: interrupted {left} ({why}); {part.bytes} of "
                        f"{part.size or '?'} bytes are kept in {part.path}; run again to continue"
                    ) from None
                _log.info("%s: %s; trying again", without_secrets(url), why)
            except (requests.RequestException, ValueError) as error:  # redirects without an address
                why = shorter(without_secrets(error))
                raise UserError(
                    f"{without_secrets(url)}: cannot be fetched ({why}); correct the address"
                ) from None


def _reason(error: Exception, url: str) -> tuple[str, bool]:
    """Return a short reason why a transfer failed, and whether a server was reached.

    Raise a UserError if another attempt would fail, too.
    """
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, _UNREACHED):
        why = without_secrets(cause).rpartition(": ")[2]
        if "certificate verify failed" in str(cause):
            raise UserError(
                f"{without_secrets(url)}: its certificate is not trusted ({why}); correct the "
                "address, or set REQUESTS_CA_BUNDLE to your network's certificates"
            ) from None
        return why, False
    if isinstance(error, _Break):
        return str(error), True
    return _LATE if isinstance(error, _LATE_ERRORS) else _CUT, True


def _stream(
    session: requests.Session, url: str, part: PartialFile, progress: tqdm, own: Headers
) -> None:
    # identity: otherwise lengths would not be those of the file
    headers = {**own, "Accept-Encoding": "identity"}
    if part.can_continue:
        headers["Range"] = f"bytes={part.bytes}-"
        if part.version:
            headers["If-Range"] = part.version
    with deadline(patience.ANSWER_S):
        answer = session.get(url, headers=headers, stream=True, timeout=patience.TIMEOUT_S)
    with answer as response:
        _begin(response, part)
        progress.total = part.size
        progress.update(part.bytes - progress.n)
        try:
            for chunk in _chunks(response):
                if not part.bytes:
                    _check_no_page(response, chunk)
                part.append(chunk)
                progress.update(len(chunk))
                if part.bytes > (part.size or 0):
                    return  # more than expected is an error; do not fill the disk with it
        finally:
            part.flush()
        if not part.is_full and response.status_code == 200 and response.raw.chunked:
            found = part.bytes  # the server has marked the end
            part.restart("")
            raise UserError(f"{_address(response)}: has {found} bytes, expected {part.size}")
    if not part.is_full:
        raise _Break("the connection ended early")


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """Yield the bytes of the body as they arrive, unchanged."""
    begun, count = time.monotonic(), 0
    try:
        while chunk := _read(response):
            yield chunk
            count += len(chunk)
            seconds = time.monotonic() - begun
            if seconds > patience.TIMEOUT_S:
                if count < _SLOWEST * seconds:
                    raise _Slow(f"less than {_SLOWEST:,} bytes per second")
                begun, count = time.monotonic(), 0
    except _LATE_ERRORS:
        raise _Break(_LATE) from None
    except exceptions.HTTPError:
        raise _Break(_CUT) from None


def _close_redirect(response: requests.Response, **_: object) -> None:
    if response.is_redirect:
        response.close()  # requests would read its body, which may not end


def _read(response: requests.Response) -> bytes:
    with deadline(patience.ANSWER_S):
        chunk: bytes = response.raw.read1(_CHUNK, decode_content=False)
        return chunk


def _check_no_page(response: requests.Response, start: bytes) -> None:
    if _PAGE.match(start):
        raise UserError(
            f"{_address(response)}: sends a web page, not the file; open it in a browser, which "
            "may ask for a login, and correct the address"
        )


def _begin(response: requests.Response, part: PartialFile) -> None:
    status, content_range = response.status_code, response.headers.get("Content-Range", "")
    if status == 206 and _continues(response, part, content_range):
        _learn(response, part, content_range.rpartition("/")[2])
        return
    if status in (206, 416):  # a different range or file than requested, or none left: restart
        part.restart("")
        raise _Break(f"HTTP {status} with a wrong range")
    if status in BUSY or status >= 500:
        raise _Break(f"HTTP {status}")
    if status != 200:
        raise UserError(f"{_address(response)}: HTTP {status}; correct the address")
    packed = response.headers.get("Content-Encoding", "identity").lower()
    # a server may take the file's own packing for that of the transfer
    if packed != "identity" and part.final.suffix not in (".gz", ".tgz"):
        raise UserError(
            f"{_address(response)}: the server compresses the file ({shown(packed)}) although "
            f"asked not to; download it in another way to {part.final}"
        )
    length = response.headers.get("Content-Length")
    if part.size is not None and length is not None and length != str(part.size):
        page = "a web page of " if "html" in response.headers.get("Content-Type", "") else ""
        found = page + shown(length).strip("'")
        raise UserError(f"{_address(response)}: the server has {found} bytes, expected {part.size}")
    part.restart(_version(response))
    _learn(response, part, length or "")


def _continues(response: requests.Response, part: PartialFile, content_range: str) -> bool:
    """Return whether a partial answer continues the same version of the file."""
    total = content_range.rpartition("/")[2]
    return (
        content_range.startswith(f"bytes {part.bytes if part.can_continue else 0}-")
        and (part.size is None or total in ("*", str(part.size)))
        and (not part.version or _version(response) in ("", part.version))
    )


def _version(response: requests.Response) -> str:
    etag = response.headers.get("ETag", "")
    # a weak ETag does not guarantee equal bytes (RFC 9110, 13.1.5)
    strong = etag if not etag.startswith("W/") else ""
    return strong or response.headers.get("Last-Modified", "")


def _address(response: requests.Response) -> str:
    return without_secrets(response.url)


def _learn(response: requests.Response, part: PartialFile, size: str) -> None:
    """Set the size from the server's response if none is given."""
    if part.size is not None:
        return
    if not size.isdecimal():
        raise UserError(
            f"{_address(response)}: neither the server nor the table of versions gives "
            "its size, so a truncated file could not be detected; add it to the table"
        )
    part.size = int(size)
    _check_room(part.final, part.size - part.bytes)
