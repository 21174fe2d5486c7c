"""The hub's token, in the environment variable HF_TOKEN, and signed addresses.

Each row pulls a gated model from a hub on the same machine, which sends large files from another
host. Messages, logs and all written files are searched for the token.
"""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import hub_server
import pytest
from checkpoint_fixture import REPOSITORY, WEIGHTS, flags, serving_clip
from faults.injector import Fault
from hub_server import TOKEN, HubServer

from eyechart.core.errors import UserError
from eyechart.models.sources import pull_model

KIND = "Tokens"
PARTS = (TOKEN[:6], TOKEN[4:], "secret")  # half of a token is still found
FILES = {"config.json": b"{}", WEIGHTS: bytes(20_000)}
NOWHERE = "shown nowhere"


@contextmanager
def written() -> Iterator[io.StringIO]:
    """Collect the printed and logged text."""
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    logging.getLogger().addHandler(handler)
    with redirect_stdout(told), redirect_stderr(told):
        yield told
    logging.getLogger().removeHandler(handler)


def shown(told: str, hub: HubServer) -> str:
    """Return the places where a part of the token, or of a signature, was written or sent."""
    files = [path for path in Path.cwd().parent.rglob("*") if path.is_file()]
    texts = {str(path): path.read_text(errors="replace") for path in files} | {"messages": told}
    texts["the other host"] = str([asked.token for asked in hub.asked if asked.host == "localhost"])
    found = [name for name, text in texts.items() if any(part in text for part in PARTS)]
    return ", ".join(found) or NOWHERE


def pulling(token: str, *, pulled: bool, spoil: Callable[[HubServer], None] | None = None) -> Any:
    """Pull with a token; return where it is shown, and whether the model is complete."""
    patch = pytest.MonkeyPatch()
    try:
        with serving_clip(Path.cwd(), patch, FILES) as hub, written() as told:
            hub.repositories[REPOSITORY].gated = "auto"
            patch.setenv("HF_TOKEN", token)
            if spoil:
                spoil(hub)
            try:
                pull_model.main(flags())
            except UserError as error:
                assert "\n" not in str(error) and len(str(error)) < 400, len(str(error))
                told.write(str(error))
            ready = Path("data/models/clip/ready.json").exists()
            return (shown(told.getvalue(), hub), ready), (NOWHERE, pulled)
    finally:
        patch.undo()


def spelt(token: str) -> Any:
    """Try to pull with a token that must be refused before it is sent."""
    patch = pytest.MonkeyPatch()
    try:
        with serving_clip(Path.cwd(), patch, FILES) as hub, written() as told:
            hub.repositories[REPOSITORY].gated = "auto"
            patch.setenv("HF_TOKEN", token)
            try:
                pull_model.main(flags())
            finally:
                assert shown(told.getvalue(), hub) == NOWHERE
    finally:
        patch.undo()


def cut(times: int) -> Callable[[HubServer], None]:
    """Cut the connection repeatedly, during requests to the hub and during transfers."""

    def spoil(hub: HubServer) -> None:
        hub.fails, hub.cuts[WEIGHTS] = [0] * min(times, 12), [0] * times

    return spoil


def dead_end(hub: HubServer) -> None:
    """Redirect large files to an address that does not respond."""
    resolve = hub_server._Answer._resolve

    def redirect(self: Any, repository: Any, rest: list[str]) -> None:
        if not rest[-1].endswith(WEIGHTS):
            return resolve(self, repository, rest)
        self.send_response(302)
        self.send_header("Location", "http://user:secret@127.0.0.1:9/x?X-Signature=secret")
        self.send_header("Content-Length", "0")
        self.end_headers()

    hub.RequestHandlerClass = type("Redirecting", (hub_server._Answer,), {"_resolve": redirect})


def _kept(what: str, token: str, **how: Any) -> Fault:
    return Fault(what, "HF_TOKEN", "accepted", partial(pulling, token, **how))


def _refused(what: str, token: str) -> Fault:
    return Fault(what, "HF_TOKEN", "refused", partial(spelt, token), "^HF_TOKEN: .*not shown")


FAULTS = [
    _kept("a plain token, and a redirect to another host", TOKEN, pulled=True),
    _kept("a line end after it", f"{TOKEN}\n", pulled=True),
    _kept("a carriage return and a line end after it", f"{TOKEN}\r\n", pulled=True),
    _kept("a blank before it", f" {TOKEN}", pulled=True),
    _kept("tabs around it", f"\t{TOKEN}\t", pulled=True),
    _kept("only blanks", " \n", pulled=False),
    _kept("another account's", f"{TOKEN}2", pulled=False),
    _kept("the connection cut twelve times", TOKEN, pulled=True, spoil=cut(12)),
    _kept("the connection always cut", TOKEN, pulled=False, spoil=cut(99)),
    _kept("a signed address without a response", TOKEN, pulled=False, spoil=dead_end),
    _refused("a line end in it", f"{TOKEN[:6]}\n{TOKEN[6:]}"),
    _refused("a carriage return in it", f"{TOKEN[:6]}\r{TOKEN[6:]}"),
    _refused("a blank in it", f"{TOKEN[:6]} {TOKEN[6:]}"),
    _refused("quotes around it", f'"{TOKEN}"'),
    _refused("the word Bearer before it", f"Bearer {TOKEN}"),
    _refused("a header after it", f"{TOKEN}\r\nHost: evil"),
    _refused("a non-ASCII character", f"{TOKEN}ü"),
    _refused("a byte order mark before it", f"\ufeff{TOKEN}"),
    _refused("an escape sequence in it", f"\x1b[2J{TOKEN}"),
    _refused("JSON", json.dumps({"token": TOKEN})),
]
