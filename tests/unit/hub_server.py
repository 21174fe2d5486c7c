"""A local server with the hub's API: repositories, commits, gates and interrupted transfers."""

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".gguf", ".onnx", ".h5", ".msgpack")  # stored in Git LFS
TOKEN = "hf_welcome"


@dataclass
class Repository:
    """A repository: files by commit, commits by revision, and access rights."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)
    gated: str | bool = False

    def commit(self, files: dict[str, bytes], revision: str = "main") -> str:
        """Add files under a new commit and point a revision to it."""
        known = f"{len(self.commits)}{sorted(files)}".encode()
        commit = hashlib.sha1(known).hexdigest()
        self.commits[commit], self.revisions[revision] = files, commit
        return commit


class Asked(NamedTuple):
    """The handler of one request."""

    host: str
    path: str
    range: str | None
    token: str | None


class HubServer(ThreadingHTTPServer):
    """A server of repositories by owner/name; ``cuts`` are the bytes that the next responses send.

    While ``stall`` is true, a cut response waits until the server is shut down. The next requests
    get the statuses in ``fails``, or no response for a status of 0.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.repositories: dict[str, Repository] = {}
        self.cuts: dict[str, list[int]] = {}
        self.asked: list[Asked] = []
        self.fails: list[int] = []
        self.stall, self.closing = False, threading.Event()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a killed client is not an error
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fetched(self) -> list[str]:
        """Return the names of the sent files, in order."""
        paths = [a.path for a in self.asked if "/resolve/" in a.path]
        return [unquote(path.split("/resolve/")[1].split("/", 1)[1]) for path in paths]


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[Any]:
    """Run a server in a thread; ``closing`` is an event that its responses wait for."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:  # a running thread would prevent the tests from ending
            server.closing.set()
            server.shutdown()
            thread.join()


def serving() -> AbstractContextManager[HubServer]:
    """Serve an empty hub."""
    return running(HubServer())


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files in a folder by path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


class _Answer(BaseHTTPRequestHandler):
    server: HubServer

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        host = (self.headers.get("Host") or "").split(":")[0]
        self.server.asked.append(Asked(host, self.path, self.headers.get("Range"), token))
        _, *parts = path.split("/")
        if self.server.fails:
            if status := self.server.fails.pop(0):
                self._refuse(status, "")
            return
        if parts[0] == "stored":
            self._send_file(parts[1], "/".join(parts[2:]))
            return
        parts = parts[2:] if parts[:2] in (["api", "models"], ["api", "datasets"]) else parts
        parts = parts[1:] if parts[0] == "datasets" else parts
        if len(parts) < 3:
            self._refuse(404, "")
            return
        owner, name, verb, *rest = parts
        repository = self.server.repositories.get(f"{owner}/{name}")
        closed = repository is not None and repository.gated and verb != "revision"
        if token not in (None, TOKEN):
            self._refuse(401, "", "Invalid credentials in Authorization header")
        elif repository is None:
            self._refuse(401 if token is None else 404, "RepoNotFound")
        elif closed and (token is None or repository.gated == "closed"):
            self._refuse(401 if token is None else 403, "GatedRepo")
        else:
            getattr(self, f"_{verb.replace('-', '_')}")(repository, rest)

    def _auth_check(self, repository: Repository, rest: list[str]):
        self._send_json({})

    def _refs(self, repository: Repository, rest: list[str]):
        branches = [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
            for name, commit in repository.revisions.items()
        ]
        self._send_json({"branches": branches, "tags": [], "converts": []})

    def _revision(self, repository: Repository, rest: list[str]):
        commit = repository.revisions.get("/".join(rest), "/".join(rest))
        if commit not in repository.commits:
            self._refuse(404, "RevisionNotFound")
            return
        files = repository.commits[commit]
        value = {"id": "x/y", "sha": commit, "gated": repository.gated, "private": False}
        value |= {"tags": [], "downloads": 0, "likes": 0, "cardData": {"license": "apache-2.0"}}
        self._send_json(value | {"siblings": [_sibling(*item) for item in files.items()]})

    def _resolve(self, repository: Repository, rest: list[str]):
        commit, path = rest[0], "/".join(rest[1:])
        if path.endswith(LARGE):  # large files are stored on another host
            self.send_response(302)
            port = self.server.server_address[1]
            location = f"http://localhost:{port}/stored/{commit}/{path}?signature=secret"
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send_file(commit, path)

    def _send_file(self, commit: str, path: str):
        repositories = self.server.repositories.values()
        data = next(r.commits[commit] for r in repositories if commit in r.commits)[path]
        start = 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        cuts = self.server.cuts.get(path, [])
        end = start + (cuts[0] if self.server.stall else cuts.pop(0)) if cuts else len(data)
        self.wfile.write(data[start:end])
        if self.server.stall and end < len(data):
            self.wfile.flush()
            self.server.closing.wait()

    def _send_json(self, value: object):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str, message: str = ""):
        self.send_response(status)
        for name, value in (("X-Error-Code", code), ("X-Error-Message", message)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _sibling(path: str, data: bytes) -> dict[str, object]:
    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    found: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": git}
    if path.endswith(LARGE):
        found["lfs"] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "pointerSize": 134,
        }
    return found
