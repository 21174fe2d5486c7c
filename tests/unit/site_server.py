"""A local data site that can interrupt, ignore ranges, change or report false facts."""

import json
import sys
import threading
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hub_server import running

from eyechart.data.sources import http, patience, versions

ROOT = Path("data/raw/clevr")
COUNTS = {"train": 4, "val": 3}
HEADER = "\t".join(versions.COLUMNS)


class Site(ThreadingHTTPServer):
    """A server of one file at any path; ``cuts`` are the bytes that the next responses send.

    If ``stall`` is set, a response waits after this many bytes until the server is shut down.
    """

    daemon_threads = True

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), Answer)
        self.data, self.etag, self.date = data, '"one"', None
        self.cuts, self.statuses, self.asked = [], [], []
        self.ranges, self.stall, self.closing = True, None, threading.Event()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a killed client is not an error
            super().handle_error(request, client_address)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/some.zip"


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        site, data = self.server, self.server.data
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        site.asked.append((wanted, condition))
        if site.statuses:
            self.send_error(site.statuses.pop(0))
            return
        start = 0
        if wanted and site.ranges and condition in (None, site.etag, site.date):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        for name, value in (("ETag", site.etag), ("Last-Modified", site.date)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = start + site.cuts.pop(0) if site.cuts else len(data)
        self.wfile.write(data[start : end if site.stall is None else site.stall])
        if site.stall is not None:
            self.wfile.flush()
            site.closing.wait()


def serving(data: bytes) -> AbstractContextManager[Site]:
    """Serve a file."""
    return running(Site(data))


def settle_in(folder, monkeypatch):
    """Enter a temporary folder without proxies; return the recorded pauses, which are skipped."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    pauses = []
    monkeypatch.setattr(patience, "_sleep", pauses.append)
    monkeypatch.setattr(http, "_CHUNK", 10_000)
    return pauses


def flags(dataset="clevr", splits=("train", "val"), layout="clevr", root=ROOT):
    settings = json.dumps({"layout": layout, "splits": list(splits)})
    return [
        *("--dataset", dataset, "--versions", "versions.tsv", "--lock", "versions.lock.tsv"),
        *("--cache", "data/downloads"),
        *("--settings", settings, "--root", str(root), "--output", str(root / "acquired.json")),
    ]


def contents(root):
    files = [p for p in root.rglob("*") if p.is_file() and p.name != "acquired.json"]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}
