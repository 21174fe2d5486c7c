"""Responses of a data site, or of the hub, that are not what was requested.

Retries are made without pauses. A row without a checksum is a file whose size and checksum are not
published: nothing else would notice that it is another file.
"""

import gzip
import hashlib
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faults.injector import Fault
from hub_server import running
from site_server import settle_in
from test_data_hostile_server import MESSAGES, about, file

from eyechart.core.errors import UserError
from eyechart.data.sources import http, patience
from eyechart.data.sources.hub import Hub

KIND = "Downloads"
OLD, NEW = bytes(range(256)) * 100, bytes(range(255, -1, -1)) * 100
PACKED = gzip.compress(OLD)
PAGE = b"<!DOCTYPE html><title>Sign in</title>"
CHUNKED = {"Transfer-Encoding": "chunked"}
Response = tuple[int, dict[str, str], bytes]  # status, headers, body


class Server(socketserver.ThreadingTCPServer):
    """A server that sends its responses in order, then the last one again, and hangs up."""

    daemon_threads = True

    def __init__(self, responses: list[Response], pause: float) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.responses, self.pause, self.closing = responses, pause, threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore that the client has hung up."""


class Answer(socketserver.StreamRequestHandler):
    """One response; with a pause, its body is sent byte by byte."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        held = self.server.responses
        status, headers, body = held.pop(0) if len(held) > 1 else held[0]
        lines = [f"HTTP/1.1 {status} X", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        self.wfile.write("\r\n".join(lines).encode())
        if not self.server.pause:
            self.wfile.write(body)
        for byte in body if self.server.pause else b"":
            self.wfile.write(bytes([byte]))
            self.server.closing.wait(self.server.pause)


@contextmanager
def serving(responses: list[Response], pause: float = 0) -> Iterator[tuple[str, Any]]:
    """Serve responses; yield the address and the pauses between attempts, which are skipped."""
    patch = pytest.MonkeyPatch()
    try:
        with running(Server(responses, pause)) as server:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            yield address, settle_in(Path.cwd(), patch)
    finally:
        patch.undo()


def sent(body: bytes, status: int = 200, **headers: str) -> Response:
    """Return a response with its length; ``_`` in a header's name is ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Length": str(len(body)), **named}, body


def chunked(body: bytes) -> Response:
    return 200, CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def cut(**headers: str) -> Response:
    """Return a response with the first part of the old file."""
    status, named, _ = sent(OLD, **headers)
    return status, named, OLD[:10_000]


def rest(total: int = len(NEW), **headers: str) -> Response:
    """Return a response with the other part of the new file."""
    at = f"bytes 10000-{total - 1}/{total}"
    return sent(NEW[10_000:], 206, Content_Range=at, **headers)


def fetched(responses: list[Response], expected: bytes = b"", size: int | None = len(OLD),
            known: bytes | None = None, pause: float = 0, name: str = "a.zip") -> Any:  # fmt: skip
    """Fetch a file; return its bytes and the expected ones."""
    patch = pytest.MonkeyPatch()
    if pause:
        patch.setattr(patience, "TIMEOUT_S", 3 * pause)
        patch.setattr(patience, "_PATIENCE_S", 3.0)
    digest = hashlib.sha256(known).hexdigest() if known else None
    with serving(list(responses), pause) as (address, _):
        try:
            http.fetch(f"{address}/{name}", Path(name), size, digest)
        except UserError:
            assert not Path(name).exists()
            raise
        finally:
            patch.undo()
    return Path(name).read_bytes(), expected


def untrusted() -> None:
    """Fetch a file from a server whose certificate nobody has signed."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a",
                    "-keyout", "key.pem", "-out", "own.pem"], check=True,
                   capture_output=True)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("own.pem", "key.pem")
    server = Server([sent(OLD)], 0)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    patch = pytest.MonkeyPatch()
    try:
        with running(server):
            pauses = settle_in(Path.cwd(), patch)
            try:
                http.fetch(f"https://127.0.0.1:{server.server_address[1]}", Path("a"), 9, None)
            finally:
                assert not pauses
    finally:
        patch.undo()


def asked(*bodies: bytes, status: int = 200, endpoint: str = "", **headers: str) -> Any:
    """Ask a hub, without a second attempt; return its licence and whether that is one line."""
    responses = [sent(body, status if n == 0 else 200, **headers if n == 0 else {})
                 for n, body in enumerate(bodies)]  # fmt: skip
    patch = pytest.MonkeyPatch()
    with serving(responses) as (address, pauses):
        patch.setenv("HF_ENDPOINT", endpoint or address)
        try:
            licence = Hub(MESSAGES, None).snapshot("owner/clip", "main").licence
        finally:
            patch.undo()
            assert not pauses
    return licence.isprintable() and len(licence) < 100, True


def _refused(what: str, responses: list[Response], says: str, **more: Any) -> Fault:
    return Fault(what, "a data site", "refused", partial(fetched, responses, **more), says)


def _restarted(what: str, *responses: Response, **more: Any) -> Fault:
    restarts = partial(fetched, [*responses, sent(NEW)], NEW, **more)
    return Fault(what, "a data site", "accepted", restarts)


def _hub(what: str, says: str, inject: Callable[[], Any]) -> Fault:
    return Fault(what, "the hub", "refused", inject, says)


NONE = {"X_Error_Code": "RevisionNotFound"}
FAULTS = [
    _refused("compresses the file", [sent(PACKED, Content_Encoding="gzip")], "compresses the file",
             size=None),
    Fault("calls the file's own gzip that of the transfer", "a data site", "accepted",
          partial(fetched, [sent(PACKED, Content_Encoding="x-gzip")], PACKED, size=None,
                  name="a.tar.gz")),
    _refused("a web page, no size known", [sent(PAGE)], "sends a web page", size=None),
    _refused("a web page in chunks", [chunked(PAGE)], "sends a web page", known=OLD),
    _refused("a web page of another size", [sent(PAGE, Content_Type="text/html")],
             "has a web page of 37 bytes, expected 25600", known=OLD),
    _refused("a shorter file in chunks", [chunked(OLD[:-5])], "has 25595 bytes, expected 25600"),
    _refused("a longer file in chunks", [chunked(OLD + NEW)], "bytes, so the file was removed"),
    _refused("one byte at a time", [sent(OLD)], "less than 1,000 bytes per second", pause=0.1),
    _restarted("another file after a cut, without a version", cut(), rest()),
    _restarted("another ETag after a cut", cut(ETag='"old"'), rest(ETag='"new"')),
    _restarted("another date after a cut", cut(Last_Modified="Tue"), rest(Last_Modified="Wed")),
    _restarted("another size after a cut", cut(ETag='"old"'), rest(len(NEW) + 1), known=NEW),
    Fault("a certificate of its own", "a data site", "refused", untrusted, "is not trusted"),
    *(_hub(f"a size of {size!r}", f"a size of {size!r}", partial(asked, file(size=size)))
      for size in (-5, float("inf"), 1.5, True, "12")),
    _hub("a name with an escape sequence", "unexpected form", partial(asked, file(
         rfilename="a\x9b2J"))),
    *(_hub(f"{what} as its revisions, without the one requested", "does not list them",
           partial(asked, b"", body, status=404, **NONE))
      for what, body in (("a page", PAGE), ("null", b"null"), ("numbers", b'{"branches": 1}'))),
    _hub("an address without https", "the hub cannot be reached",
         partial(asked, b"", endpoint="hub.example")),
    Fault("a licence with a forged error", "the hub", "accepted", partial(asked, about(
          cardData={"license": "mit\neyechart: error: pay" * 1_000}))),
]  # fmt: skip
