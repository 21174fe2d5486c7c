"""Read a tar to its last byte.

tarfile treats a damaged or missing header as the end of the archive, and reads neither the rest nor
gzip's checksum.
"""

import gzip
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_CHUNK = 1 << 20
_BLOCK = 512  # a tar ends with two blocks of zeros, padded to a full record of 20 blocks
_MOST_ZEROS = 21 * _BLOCK


class _Header(tarfile.TarInfo):
    """A tar header; a damaged one is an error, whereas tarfile would treat it as the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:  # type: ignore[override]
        """Return the next header."""
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {tarfile_.offset}") from None


class Limited:
    """A stream that calls ``check`` with every position before moving there."""

    def __init__(self, stream: IO[bytes], check: Callable[[int], None]) -> None:
        self._stream, self._check, self.tell = stream, check, stream.tell

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, place: int) -> int:
        """Move to a position and return it."""
        self._check(place)
        return self._stream.seek(place)


@contextmanager
def opened_tar(
    archive: Path, check: Callable[[int], None]
) -> Iterator[tuple[tarfile.TarFile, Limited]]:
    """Open a tar, gzipped or not; ``check`` is called with every stream position before reading."""
    with open(archive, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(archive) if packed else open(archive, "rb") as stream:
        limited = Limited(stream, check)  # type: ignore[arg-type]
        with tarfile.open(fileobj=limited, mode="r:", tarinfo=_Header) as opened:  # type: ignore[call-overload]
            yield opened, limited


def check_end(stream: Limited) -> None:
    """Read a tar to its end, with gzip's checksum; raise a ReadError for more or fewer bytes."""
    zeros = _BLOCK  # the block that marked the end for tarfile
    while chunk := stream.read(_CHUNK):
        zeros += len(chunk)
        if chunk.strip(b"\0") or zeros > _MOST_ZEROS:
            raise tarfile.ReadError("its last members are zeros, or something follows its end")
    if zeros < 2 * _BLOCK or zeros % _BLOCK:
        raise tarfile.ReadError("its end is missing")
