"""Query the Hugging Face hub with huggingface_hub; turn its errors into user messages."""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers

from eyechart.core.errors import UserError, nearest, shorter, shown, without_secrets
from eyechart.core.files import sha256
from eyechart.data.sources import patience
from eyechart.data.sources.http import fetch
from eyechart.data.sources.hub_limits import limit_answers
from eyechart.data.sources.patience import BUSY, Patience, deadline

T = TypeVar("T")
_COMMIT, _SHA256 = r"[0-9a-f]{40}", r"[0-9a-f]{64}"
_PATH = r"(?!/)(?!(.*/)?\.\.(/|$))[^\\\x00-\x1f\x7f-\x9f]+"  # relative to the folder
# How an answer shows that it is not the hub's, such as a proxy's login page
_OTHER_FORM = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
_UNREACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubFile:
    """One file of a repository, with the hub's checksum."""

    repository: str
    commit: str
    path: str
    bytes: int
    sha256: str | None  # of large files
    git: str | None  # of all other files: SHA-1 of the git blob

    def is_whole(self, path: Path) -> bool:
        """Return whether the file at ``path`` is this file, complete."""
        if path.stat().st_size != self.bytes:
            return False
        if self.sha256:
            return sha256(path) == self.sha256
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return self.git is None or blob.hexdigest() == self.git


@dataclass(frozen=True)
class Snapshot:
    """A repository at one commit."""

    repository: str
    commit: str
    licence: str
    gated: bool
    files: list[HubFile]


@dataclass(frozen=True)
class HubMessages:
    """Wording of error messages: the requested repository and what the user can correct.

    ``kind`` is ``model`` or ``dataset``. ``field`` in ``file`` names the repository, with the
    expected ``form``. ``revision`` states how to correct the revision; ``instead`` is an
    alternative to using the hub.
    """

    name: str
    kind: str
    file: str
    field: str
    form: str
    revision: str
    instead: str


def hub_token() -> str | None:
    """Return the token in the environment variable HF_TOKEN, or None.

    Surrounding whitespace, which files and shells may add, is removed. Raise a UserError, which
    does not show the token, if it still contains a character that tokens cannot have (RFC 6750).
    """
    found = os.environ.get("HF_TOKEN", "").strip()
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]*", found):
        raise UserError(
            "HF_TOKEN: contains a character that tokens cannot have, such as a space, a quote or a "
            "line break; set it to the token alone (it is not shown here)"
        )
    return found or None


def _matching(form: str, found: object) -> str:
    """Return a string from the hub; raise a ValueError if it does not match ``form``."""
    if not isinstance(found, str) or not re.fullmatch(form, found):
        raise ValueError(f"found {shown(found)}")
    return found


def _size(found: object) -> int:
    """Return a file's size from the hub; raise a ValueError if it is not one."""
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise ValueError(f"a size of {shown(found)}")
    return found


def _patiently(ask: Callable[[], T]) -> T:
    """Return the hub's answer; retry after growing pauses while the hub is busy or unreachable."""
    left = Patience(reached=True)
    while True:
        try:
            with deadline(patience.ANSWER_S):
                return ask()
        except (HfHubHTTPError, httpx2.TransportError, TimeoutError) as error:
            status = error.response.status_code if isinstance(error, HfHubHTTPError) else 408
            unreached = isinstance(error, _UNREACHED)
            if unreached or not (status in BUSY or status >= 500) or not left.wait():
                raise
            _log.info("the hub: %s; trying again", without_secrets(error)[:120])


class Hub:
    """The hub at ``HF_ENDPOINT`` or huggingface_hub's default, with its error messages."""

    def __init__(self, messages: HubMessages, token: str | None) -> None:
        self._messages, self._token = messages, token or None
        # False: do not use a token saved in the user's home
        self._api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=self._token or False)
        limit_answers()
        self._headers: dict[str, str] = build_hf_headers(token=self._token or False)

    def snapshot(self, repository: str, revision: str) -> Snapshot:
        """Return the content of a repository at a revision.

        Raise a UserError if the hub cannot be reached, or if the repository or revision does not
        exist.
        """
        dataset = self._messages.kind == "dataset"
        ask = self._api.dataset_info if dataset else self._api.model_info
        with self._sentences(repository, revision):
            info = _patiently(lambda: ask(repository, revision=revision, files_metadata=True))
            at = (repository, _matching(_COMMIT, info.sha))
            files = [
                HubFile(
                    *at,
                    _matching(_PATH, s.rfilename),
                    _size(s.size or 0),
                    _matching(_SHA256, s.lfs.sha256) if s.lfs else None,
                    s.blob_id,
                )
                for s in info.siblings or []
            ]
        licence = str(getattr(info.card_data, "license", None) or "not said")
        return Snapshot(*at, shown(licence).strip("'"), bool(info.gated), files)

    def check_access(self, snapshot: Snapshot) -> None:
        """Raise a UserError if access to a gated repository would be refused."""
        if not snapshot.gated:
            return
        if self._token is None:
            raise UserError(self._gated(snapshot.repository))
        with self._sentences(snapshot.repository, snapshot.commit):
            kind = self._messages.kind
            _patiently(lambda: self._api.auth_check(snapshot.repository, repo_type=kind))

    def fetch(self, file: HubFile, path: Path, fault: str) -> None:
        """Download a file, resumed after interruptions.

        If it does not match the hub's checksum, remove it and raise a UserError that begins with
        ``fault``.
        """
        at = {"revision": file.commit, "endpoint": self._api.endpoint}
        url = hf_hub_url(file.repository, file.path, repo_type=self._messages.kind, **at)
        fetch(url, path, file.bytes, file.sha256, self._headers)
        if not file.is_whole(path):
            path.unlink()
            raise UserError(f"{fault}; run again")

    @contextmanager
    def _sentences(self, repository: str, revision: str) -> Iterator[None]:
        """Turn errors of huggingface_hub into UserErrors."""
        messages, name = self._messages, self._messages.name
        try:
            yield
        except GatedRepoError:
            raise UserError(self._gated(repository)) from None
        except RevisionNotFoundError:
            raise UserError(
                f"{name}: {repository} has no revision {revision!r}; {messages.revision}; "
                f"{self._revisions(repository, revision)}"
            ) from None
        except RepositoryNotFoundError:
            raise UserError(
                f"{name}: the hub has no repository {repository!r}, or it is private; correct "
                f"{messages.field} in {messages.file}, or set the environment variable HF_TOKEN to "
                "the token of an account that may read it"
            ) from None
        except HFValidationError:
            raise UserError(
                f"{messages.file}: {messages.field} is {repository!r}, expected {messages.form}"
            ) from None
        except OfflineModeIsEnabled:
            raise UserError(
                f"{name}: HF_HUB_OFFLINE is set, so {repository} cannot be pulled; unset it or "
                f"{messages.instead}"
            ) from None
        except HfHubHTTPError as error:
            status = error.response.status_code
            refused = status in (401, 403)
            how = "correct the token in HF_TOKEN" if refused else "try again later"
            raise UserError(f"{name}: the hub answers HTTP {status}; {how}") from None
        except (httpx2.HTTPError, OSError) as error:
            raise UserError(
                f"{name}: the hub cannot be reached ({without_secrets(error)}); try again, or "
                f"{messages.instead}"
            ) from None
        except _OTHER_FORM as error:
            raise UserError(
                f"{name}: the hub's answer about {repository} has an unexpected form "
                f"({shorter(without_secrets(error))}); correct HF_ENDPOINT, or {messages.instead}"
            ) from None

    def _gated(self, repository: str) -> str:
        how = "the account of HF_TOKEN has no access" if self._token else "HF_TOKEN is not set"
        return (
            f"{self._messages.name}: {repository} is gated, and {how}; accept its terms on its hub "
            "page, and set the environment variable HF_TOKEN to your account's token"
        )

    def _revisions(self, repository: str, revision: str) -> str:
        """Return the nearest branch or tag and all others, if the hub lists them."""
        try:
            with deadline(patience.ANSWER_S):
                refs = self._api.list_repo_refs(repository, repo_type=self._messages.kind)
        except (httpx2.HTTPError, OSError, *_OTHER_FORM):
            return "the hub does not list them"
        return nearest(revision, [ref.name for ref in (*refs.branches, *refs.tags)])
