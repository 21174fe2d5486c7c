"""Read a tar to its last byte.

tarfile treats a damaged or missing header as the end of the archive, and reads neither the rest nor
gzip's checksum.
"""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_CHUNK = 1 << 20
_BLOCK = 512  # a tar ends with two blocks of zeros, padded to a full record of 20 blocks
_MOST_ZEROS = 21 * _BLOCK
_PACKED = 1 << 14  # bytes of a gzip to read at once; each member copies those left over
_GZIP = 31  # zlib's number for a deflated stream with gzip's header and checksum
_PIECES = 10_000  # members of a gzip, and one more per 1,000 bytes of content


class _Header(tarfile.TarInfo):
    """A tar header; a damaged one is an error, whereas tarfile would treat it as the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:  # type: ignore[override]
        """Return the next header."""
        began = tarfile_.offset
        try:
            found = super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {tarfile_.offset}") from None
        if tarfile_.offset <= began:  # it would be read forever
            raise tarfile.ReadError(f"negative size at byte {began}")
        return found


class _Gunzipped:
    """The content of a gzip, of one member or several, which can only be read forwards.

    The module gzip reads empty members, zeros after the last member and a comment byte by byte in
    Python, so that a file of 30 MB takes longer than a minute.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._packed, self._place, self._pieces = file, b"", 0, 0
        self._unpacker: Any = None  # of the current member

    def tell(self) -> int:
        """Return the number of bytes read."""
        return self._place

    def seek(self, place: int) -> int:
        """Read up to a position and return it."""
        while place > self._place and self.read(min(place - self._place, _CHUNK)):
            pass
        return self._place

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end."""
        found = []
        while size > 0 and self._fill():
            found.append(self._unpacker.decompress(self._packed, size))
            self._packed = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                self._packed = self._unpacker.unused_data.lstrip(b"\0")
                self._unpacker = None
            size -= len(found[-1])
            self._place += len(found[-1])
        return b"".join(found)

    def _fill(self) -> bool:
        """Return whether there is something to unpack."""
        while not self._packed:
            self._packed = self._file.read(_PACKED)
            if not self._packed:
                if self._unpacker:
                    raise EOFError("it ends within a compressed member")
                return False
            if not self._unpacker:
                self._packed = self._packed.lstrip(b"\0")
        if not self._unpacker:
            self._unpacker = zlib.decompressobj(_GZIP)
            self._pieces += 1
            if self._pieces > _PIECES + self._place // 1000:
                raise tarfile.ReadError(f"more than {_PIECES} compressed members, almost empty")
        return True


class Limited:
    """A stream that calls ``check`` with every position before moving there."""

    def __init__(self, stream: Any, check: Callable[[int], None]) -> None:
        self._stream, self._check, self.tell = stream, check, stream.tell

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        self._check(self._stream.tell() + size)
        found: bytes = self._stream.read(size)
        return found

    def seek(self, place: int) -> int:
        """Move to a position and return it."""
        self._check(place)
        found: int = self._stream.seek(place)
        return found


@contextmanager
def opened_tar(
    archive: Path, check: Callable[[int], None]
) -> Iterator[tuple[tarfile.TarFile, Limited]]:
    """Open a tar, gzipped or not; ``check`` is called with every stream position before reading."""
    with open(archive, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        limited = Limited(_Gunzipped(file) if packed else file, check)
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
