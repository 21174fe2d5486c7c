"""Arbitrary server responses raise a one-sentence error, and nothing is written elsewhere."""

import gc
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from site_server import settle_in

from eyechart.core.errors import UserError
from eyechart.data.sources.http import fetch
from eyechart.data.sources.hub import Hub, HubMessages

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
MESSAGES = HubMessages("clip", "model", "a.yaml", "checkpoint", "owner/name", "", "use a folder")
MOVED = b"HTTP/1.1 302 Moved\r\nContent-Length: 0\r\nLocation: "
ANSWERS = {
    "no HTTP": b"\0\xff\0\n\n",
    "a header without an end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    "an unknown status": b"HTTP/1.1 999 \x1b[2J\r\nContent-Length: 0\r\n\r\n",
    "two sizes": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 11\r\n\r\n0123456789",
    "other packing": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n12",
    "redirected to a file": MOVED + b"file:///etc/passwd\r\n\r\n",
    "redirected to half an address": MOVED + b"http://[::1\r\n\r\n",
    "redirected to no host": MOVED + b"http://a..b/\r\n\r\n",
    "redirected to no text": MOVED + b"http://\xff\xfe/\r\n\r\n",
}
SHA = "0" * 40


def about(**fields: Any) -> bytes:
    """Return the hub's description of a repository, with these fields."""
    return json.dumps({"id": "owner/clip", "sha": SHA, "siblings": [], **fields}).encode()


def file(**fields: Any) -> bytes:
    return about(siblings=[{"rfilename": "a", "size": 3, **fields}])


OF_THE_HUB = {
    "a page": b"<html>Sign in first</html>",
    "a list": b"[]",
    "null": b"null",
    "nothing in it": b"{}",
    "lists without an end": b"[" * 100_000,
    "5,000 digits": b'{"id": ' + b"9" * 5000 + b"}",
    "no commit": about(sha=None),
    "another commit": about(sha="../../main"),
    "a date that is none": about(lastModified="yesterday"),
    "a number for files": about(siblings=3),
    "a file elsewhere": file(rfilename="../../evil"),
    "a file at the root": file(rfilename="/etc/passwd"),
    "a file up and down": file(rfilename="a/../../../evil"),
    "a file of Windows": file(rfilename="..\\evil"),
    "a file with a line end": file(rfilename="a\nb"),
    "a file without a name": file(rfilename=None),
    "a size that is none": file(size="many"),
    "a checksum that is none": file(lfs={"size": 3, "sha256": "x", "pointerSize": 1}),
}


class Server(socketserver.ThreadingTCPServer):
    """A server that sends the same bytes to every client."""

    daemon_threads = True
    answer = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(self.server.answer)  # type: ignore[attr-defined]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    settle_in(tmp_path, monkeypatch)
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", serving.url)
        yield serving
        serving.shutdown()
        thread.join()
    gc.collect()  # sockets that the client's library leaves open


@pytest.mark.parametrize("size", [10, None])
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_unusable_download_is_a_short_one_sentence_error(
    server: Server, answer: str, size: int | None
) -> None:
    server.answer = ANSWERS[answer]
    with pytest.raises(UserError, match=server.url) as raised:
        fetch(f"{server.url}/a", Path("cache/a"), size, None)
    assert len(str(raised.value)) < 400 and str(raised.value).isprintable()
    assert not Path("cache/a").exists()


@pytest.mark.parametrize("answer", [*ANSWERS, *OF_THE_HUB])
def test_a_response_that_is_not_the_hubs_is_a_short_one_sentence_error(
    server: Server, answer: str
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    body = OF_THE_HUB.get(answer, b"")
    server.answer = ANSWERS.get(answer) or head + b"%d\r\n\r\n" % len(body) + body
    with pytest.raises(UserError, match=r"^clip: the hub") as raised:
        Hub(MESSAGES, None).snapshot("owner/clip", "main")
    assert len(str(raised.value)) < 400 and str(raised.value).isprintable()
