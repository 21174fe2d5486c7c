"""The part of a file that has been downloaded, kept between attempts and runs."""

import hashlib
import os
from pathlib import Path

from eyechart.core import files


class PartialFile:
    """The growing ``<file>.part``, with the running SHA-256 of its content.

    ``size`` is the final number of bytes; None until the server sends it. ``checked``: whether the
    checksum of the complete file is known. ``buffered`` bytes are collected before they are
    written, since a network file system is slow at small writes.
    """

    def __init__(self, final: Path, size: int | None, checked: bool, buffered: int) -> None:
        self.final, self.size, self.checked, self.buffered = final, size, checked, buffered
        self.path = final.with_name(final.name + ".part")
        # version of the server's file to which the bytes belong: its ETag or date
        self._version = final.with_name(final.name + ".part.version")
        self.hasher, self.bytes, self._pending = hashlib.sha256(), 0, bytearray()
        if self.path.exists():
            with open(self.path, "rb") as handle:
                self.hasher = hashlib.file_digest(handle, "sha256")
            self.bytes = self.path.stat().st_size

    @property
    def is_full(self) -> bool:
        """Whether all bytes, or more, have arrived."""
        return self.size is not None and self.bytes >= self.size

    @property
    def version(self) -> str:
        """The server's version of the file, or "" if it has none."""
        return self._version.read_text(encoding="utf-8") if self._version.exists() else ""

    @property
    def can_continue(self) -> bool:
        """Whether a mixture of two versions of the file would be noticed."""
        return self.bytes > 0 and bool(self.checked or self.version)

    def restart(self, version: str) -> None:
        """Discard all bytes and start with another version of the file."""
        files.write_text(self._version, version)
        self.path.write_bytes(b"")
        self.hasher, self.bytes, self._pending = hashlib.sha256(), 0, bytearray()

    def append(self, chunk: bytes) -> None:
        """Add bytes; they are written when there are enough, or by :meth:`flush`."""
        self.hasher.update(chunk)
        self.bytes += len(chunk)
        self._pending += chunk
        if len(self._pending) >= self.buffered:
            self.flush()

    def flush(self) -> None:
        """Write all bytes that have arrived."""
        pending, self._pending = self._pending, bytearray()
        with open(self.path, "ab") as handle:
            handle.write(pending)

    def complete(self) -> None:
        """Remove the record of the server's version, and create the file if it is empty."""
        self.path.touch()
        self._version.unlink(missing_ok=True)

    def finish(self) -> None:
        """Rename the file to its final name."""
        with open(self.path, "rb") as handle:
            os.fsync(handle.fileno())
        self.path.replace(self.final)
