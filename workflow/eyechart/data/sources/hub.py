"""The hub, asked through huggingface_hub: what a repository holds; every refusal one sentence."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import sha256


@dataclass(frozen=True)
class HubFile:
    """One file of a repository, with the checksum that the hub has of it."""

    repository: str
    commit: str
    path: str
    bytes: int
    sha256: str | None  # of large files
    git: str | None  # of all others: SHA-1 of git's blob

    def is_whole(self, path: Path) -> bool:
        """Say whether the file that stands at ``path`` is this one."""
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
class Asker:
    """Who asks the hub, and what its user can mend: the words of sentences.

    ``kind`` is ``model`` or ``dataset``; ``field`` in ``file`` names the repository, whose
    ``form`` is expected; ``revision`` is named at a place to correct; and there is something to do
    ``instead`` of asking the hub.
    """

    name: str
    kind: str
    file: str
    field: str
    form: str
    revision: str
    instead: str


class Hub:
    """The hub that ``HF_ENDPOINT`` names, or else huggingface_hub's own, asked by one asker."""

    def __init__(self, asker: Asker, token: str | None) -> None:
        self._asker, self._token = asker, token or None
        # False: no token but the one given, even where one is saved in the user's home
        self._api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=self._token or False)
        self.headers: dict[str, str] = build_hf_headers(token=self._token or False)

    def snapshot(self, repository: str, revision: str) -> Snapshot:
        """Give what a repository holds at a revision.

        Raises
        ------
        UserError
            If the hub cannot be reached, or has no such repository or revision.
        """
        dataset = self._asker.kind == "dataset"
        ask = self._api.dataset_info if dataset else self._api.model_info
        with self._sentences(repository, revision):
            info = ask(repository, revision=revision, files_metadata=True)
        at = (repository, str(info.sha))
        files = [
            HubFile(*at, s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else None, s.blob_id)
            for s in info.siblings or []
        ]
        licence = getattr(info.card_data, "license", None) or "not said"
        return Snapshot(*at, str(licence), bool(info.gated), files)

    def check_access(self, snapshot: Snapshot) -> None:
        """Raise a UserError if files of a gated repository would be refused, before any is."""
        if not snapshot.gated:
            return
        if self._token is None:
            raise UserError(self._gated(snapshot.repository))
        with self._sentences(snapshot.repository, snapshot.commit):
            self._api.auth_check(snapshot.repository, repo_type=self._asker.kind)

    def url(self, file: HubFile) -> str:
        """Give where a file is fetched."""
        at = {"revision": file.commit, "endpoint": self._api.endpoint}
        return hf_hub_url(file.repository, file.path, repo_type=self._asker.kind, **at)

    @contextmanager
    def _sentences(self, repository: str, revision: str) -> Iterator[None]:
        """Turn what huggingface_hub raises into one sentence."""
        asker, name = self._asker, self._asker.name
        try:
            yield
        except GatedRepoError:
            raise UserError(self._gated(repository)) from None
        except RevisionNotFoundError:
            raise UserError(
                f"{name}: {repository} has no revision {revision!r}; {asker.revision}; "
                f"{self._revisions(repository, revision)}"
            ) from None
        except RepositoryNotFoundError:
            raise UserError(
                f"{name}: the hub has no repository {repository!r}, or it is private; correct "
                f"{asker.field} in {asker.file}, or give the token of one who may read it in the "
                "environment variable HF_TOKEN"
            ) from None
        except HFValidationError:
            raise UserError(
                f"{asker.file}: {asker.field} is {repository!r}, expected {asker.form}"
            ) from None
        except OfflineModeIsEnabled:
            raise UserError(
                f"{name}: HF_HUB_OFFLINE is set, so {repository} cannot be pulled; unset it or "
                f"{asker.instead}"
            ) from None
        except HfHubHTTPError as error:
            status = error.response.status_code
            refused = status in (401, 403)
            how = "correct the token in HF_TOKEN" if refused else "try again later"
            raise UserError(f"{name}: the hub answers HTTP {status}; {how}") from None
        except (httpx2.HTTPError, OSError) as error:
            raise UserError(
                f"{name}: the hub cannot be reached ({error}); try again, or {asker.instead}"
            ) from None

    def _gated(self, repository: str) -> str:
        how = (
            "and the account behind HF_TOKEN may not enter"
            if self._token
            else "and HF_TOKEN is not set"
        )
        return (
            f"{self._asker.name}: {repository} is gated, {how}; accept its terms on its page of "
            "the hub, and give your account's token in the environment variable HF_TOKEN"
        )

    def _revisions(self, repository: str, revision: str) -> str:
        """Give the nearest branch or tag and all that there are, as far as the hub tells."""
        try:
            refs = self._api.list_repo_refs(repository, repo_type=self._asker.kind)
        except (httpx2.HTTPError, OSError):
            return "the hub does not say which there are"
        return nearest(revision, [ref.name for ref in (*refs.branches, *refs.tags)])
