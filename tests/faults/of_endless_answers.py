"""Answers of a data site, or of the hub, that never end, or never begin.

A server may take 60 s without a byte and 300 s for an answer; in these tests, a second. A
timeout of the connection alone would restart with every byte.
"""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, repeat
from pathlib import Path

import pytest
from faults.injector import Fault
from hub_server import running
from site_server import settle_in
from test_data_hostile_server import MESSAGES

from eyechart.data.sources import http, hub_limits, patience
from eyechart.data.sources.hub import Hub

KIND = "Endless answers"
OK, LENGTH = b"HTTP/1.1 200 OK\r\n", b"Content-Length: 100000\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LIST = b"2328\r\n" + b"1," * 4_500 + b"\r\n"  # a chunk of 9,000 bytes
MOVED = b"HTTP/1.1 302 Moved\r\nLocation: /b\r\n"
LATE, NONE = "no answer in time", "cannot be reached"
REDIRECTS = f"Exceeded 30 redirects|{LATE}"  # whichever comes first
Parts = Callable[[], Iterator[bytes]]


class Server(socketserver.ThreadingTCPServer):
    """A server that answers every request with the same parts, as long as the client listens."""

    daemon_threads = True

    def __init__(self, parts: Parts, pause: float) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.parts, self.pause, self.closing = parts, pause, threading.Event()


class Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionError):
            while self.rfile.readline().strip():
                pass
            for part in self.server.parts():
                self.wfile.write(part)
                if self.server.closing.wait(self.server.pause):
                    return


@contextmanager
def serving(parts: Parts, pause: float) -> Iterator[str]:
    """Serve an answer with short limits; yield the address."""
    patch = pytest.MonkeyPatch()
    try:
        with running(Server(parts, pause)) as server:
            settle_in(Path.cwd(), patch)
            patch.setattr(patience, "TIMEOUT_S", 0.3)
            patch.setattr(patience, "ANSWER_S", 1.0)
            patch.setattr(patience, "_PATIENCE_S", 1.0)  # one attempt
            patch.setattr(hub_limits, "_MOST_BYTES", 1_000_000)
            yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        patch.undo()


def fetched(parts: Parts, pause: float) -> None:
    """Fetch a file from a site."""
    with serving(parts, pause) as address:
        try:
            http.fetch(f"{address}/a.zip", Path("a.zip"), 100_000, None)
        finally:
            assert not Path("a.zip").exists()


def asked(parts: Parts, pause: float) -> None:
    """Ask the hub about a repository."""
    patch = pytest.MonkeyPatch()
    with serving(parts, pause) as address:
        patch.setenv("HF_ENDPOINT", address)
        try:
            Hub(MESSAGES, None).snapshot("owner/clip", "main")
        finally:
            patch.undo()


def endless(start: bytes, part: bytes) -> Parts:
    return lambda: chain([start], repeat(part))


def once(start: bytes) -> Parts:
    """Send these bytes, then keep the connection open."""
    return lambda: chain([start], repeat(b""))


ANSWERS: list[tuple[str, Parts, float, str, str]] = [  # ending at a site, and at the hub
    ("sends nothing", once(b""), 0.05, LATE, NONE),
    ("sends half a header", once(OK + b"Content-Le"), 0.05, LATE, NONE),
    ("sends a header byte by byte", endless(OK + b"X: ", b"a"), 0.05, LATE, NONE),
    ("sends 100 Continue forever", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
     0.01, LATE, NONE),
    ("redirects to itself", once(MOVED + b"Content-Length: 0\r\n\r\n"), 0.05, REDIRECTS, NONE),
    ("redirects with an endless body", endless(MOVED + b"\r\n", b"a" * 9_000),
     0, REDIRECTS, "more than 1,000,000 bytes"),
    ("sends half a body", once(OK + LENGTH + b"["), 0.05, LATE, NONE),
    ("sends the size of a chunk byte by byte", endless(CHUNKED, b"0"), 0.05, LATE, NONE),
    ("sends endless lines after the last chunk", endless(CHUNKED + b"1\r\n[\r\n0\r\n", b"X: y\r\n"),
     0.01, LATE, NONE),
]  # fmt: skip
FAULTS = [
    *(Fault(what, "a data site", "refused", partial(fetched, parts, pause),
            says) for what, parts, pause, says, _ in ANSWERS),
    *(Fault(what, "the hub", "refused", partial(asked, parts, pause), says)
      for what, parts, pause, _, says in ANSWERS),
    Fault("sends an endless list", "the hub", "refused",
          partial(asked, endless(CHUNKED + b"1\r\n[\r\n", LIST), 0),
          "unexpected form .more than 1,000,000 bytes"),
    Fault("sends a list byte by byte", "the hub", "refused",
          partial(asked, endless(CHUNKED + b"1\r\n[\r\n", b"1\r\n1\r\n"), 0.05),
          "cannot be reached"),
    Fault("compresses its answer", "the hub", "refused",
          partial(asked, once(OK + b"Content-Encoding: gzip\r\n" + LENGTH), 0.05),
          "compressed by 'gzip' although asked not to"),
]  # fmt: skip
