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

from eyechart.errors import UserError, nearest
from eyechart.tables.files import sha256


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

    checkpoint: str
    commit: str
    licence: str
    gated: bool
    files: list[HubFile]


class Hub:
    """The hub that ``HF_ENDPOINT`` names, or else huggingface_hub's own, asked for one model."""

    def __init__(self, model: str, token: str | None) -> None:
        self._model, self._token = model, token or None
        # False: no token but the one given, even where one is saved in the user's home
        self._api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=self._token or False)
        self.headers: dict[str, str] = build_hf_headers(token=self._token or False)

    def snapshot(self, checkpoint: str, revision: str) -> Snapshot:
        """Give what a repository holds at a revision.

        Raises
        ------
        UserError
            If the hub cannot be reached, or has no such repository or revision.
        """
        with self._sentences(checkpoint, revision):
            info = self._api.model_info(checkpoint, revision=revision, files_metadata=True)
        at = (checkpoint, str(info.sha))
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
            raise UserError(self._gated(snapshot.checkpoint))
        with self._sentences(snapshot.checkpoint, snapshot.commit):
            self._api.auth_check(snapshot.checkpoint)

    def url(self, file: HubFile) -> str:
        """Give where a file is fetched."""
        return hf_hub_url(
            file.repository, file.path, revision=file.commit, endpoint=self._api.endpoint
        )

    @contextmanager
    def _sentences(self, checkpoint: str, revision: str) -> Iterator[None]:
        """Turn what huggingface_hub raises into one sentence."""
        spec = f"config/models/{self._model}.yaml"
        try:
            yield
        except GatedRepoError:
            raise UserError(self._gated(checkpoint)) from None
        except RevisionNotFoundError:
            raise UserError(
                f"{self._model}: {checkpoint} has no revision {revision!r}; correct it in {spec} "
                f"or under revisions in the configuration; {self._revisions(checkpoint, revision)}"
            ) from None
        except RepositoryNotFoundError:
            raise UserError(
                f"{self._model}: the hub has no repository {checkpoint!r}, or it is private; "
                f"correct checkpoint in {spec}, or give the token of one who may read it in the "
                "environment variable HF_TOKEN"
            ) from None
        except HFValidationError:
            raise UserError(
                f"{spec}: checkpoint is {checkpoint!r}, expected a hub repository (owner/name), or "
                "a folder with revision: null"
            ) from None
        except OfflineModeIsEnabled:
            raise UserError(
                f"{self._model}: HF_HUB_OFFLINE is set, so {checkpoint} cannot be pulled; unset it "
                f"or write checkpoints: {{{self._model}: <folder>}} in the configuration"
            ) from None
        except HfHubHTTPError as error:
            status = error.response.status_code
            refused = status in (401, 403)
            how = "correct the token in HF_TOKEN" if refused else "try again later"
            raise UserError(f"{self._model}: the hub answers HTTP {status}; {how}") from None
        except (httpx2.HTTPError, OSError) as error:
            raise UserError(
                f"{self._model}: the hub cannot be reached ({error}); try again, or write "
                f"checkpoints: {{{self._model}: <folder>}} in the configuration"
            ) from None

    def _gated(self, checkpoint: str) -> str:
        how = (
            "and the account behind HF_TOKEN may not enter"
            if self._token
            else "and HF_TOKEN is not set"
        )
        return (
            f"{self._model}: {checkpoint} is gated, {how}; accept its terms on its page of the "
            "hub, and give your account's token in the environment variable HF_TOKEN"
        )

    def _revisions(self, checkpoint: str, revision: str) -> str:
        """Give the nearest branch or tag and all that there are, as far as the hub tells."""
        try:
            refs = self._api.list_repo_refs(checkpoint)
        except (httpx2.HTTPError, OSError):
            return "the hub does not say which there are"
        return nearest(revision, [ref.name for ref in (*refs.branches, *refs.tags)])
