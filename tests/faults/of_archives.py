"""A dataset's zip or tar that is cut, altered, malicious, or not an archive.

A zip and a gzip have checksums of all their bytes, but a plain tar only of its headers. A bit
flipped inside a member of a tar is noticed only if the archive's SHA-256 is known, from
`data/versions.tsv` or the lock file.
"""

import gzip
import io
import random
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from faults.injector import Fault

from eyechart.core.errors import UserError
from eyechart.data.sources.archive import unpack

KIND = "Archives"
ROOT = Path("root")
_RANDOM = random.Random(4)
FILES = {
    "photos/a.png": _RANDOM.randbytes(9_000),
    "photos/b.png": _RANDOM.randbytes(700),
    "scenes.json": b'{"scenes": []}' * 400,
    "skip/notes.txt": b"not needed" * 90,
    "questions.json": _RANDOM.randbytes(5_000),
}
WANTED = {
    name: sha256(data).hexdigest() for name, data in FILES.items() if not name.startswith("skip")
}
DAMAGED = r"damaged, not a complete (zip|tar) \("


def keep(name: str) -> str | None:
    return None if name.startswith("skip") else name


def found() -> dict[str, str]:
    files = sorted(path for path in ROOT.rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files
    }


def taken(name: str) -> tuple[Any, Any]:
    """Unpack; return the files and the expected files, which are none if it is refused."""
    try:
        unpack(Path(name), ROOT, keep)
    except UserError:
        assert name.endswith(".zip") or not found()  # members of a zip are checked one by one
        raise
    return found(), WANTED


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], **how: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **how) as opened:
        for info, data in members:
            opened.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def member(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = "") -> Any:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def zipped(members: Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members:
            opened.writestr(name, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


PLAIN = tar(member(name, data) for name, data in FILES.items())
WHOLE = {"a.tar": PLAIN, "a.tar.gz": gzip.compress(PLAIN, mtime=0), "a.zip": zipped(FILES.items())}


def members() -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(PLAIN)) as opened:
        return opened.getmembers()


def written(name: str, data: bytes | Callable[[], bytes]) -> Callable[[], Any]:
    """Return a function that writes an archive and unpacks it."""

    def inject() -> Any:
        Path(name).write_bytes(data() if callable(data) else data)
        return taken(name)

    return inject


def _fault(what: str, name: str, data: Any, says: str = DAMAGED, **more: Any) -> Fault:
    return Fault(what, name, "refused", written(name, data), rf"^{name}: .*{says}", **more)


def cuts() -> list[Fault]:
    """Return archives whose end is missing or replaced with zeros."""
    faults = []
    for name, data in WHOLE.items():
        size = len(data)
        places = {"its first tenth": size // 10, "half": size // 2, "all but a byte": size - 1}
        if name != "a.tar":
            places["all but 9 bytes"] = size - 9
        faults += [_fault(f"{part} left", name, data[:at]) for part, at in places.items()]
        faults.append(
            _fault("zeros from the middle on", name, data[: size // 2] + bytes(size // 2))
        )
        faults.append(_fault("extra data after its end", name, data + b"and more" * 100))
    ends = [info.offset for info in members()][1:]
    whole = [f"{n + 1} of {len(FILES)} members left" for n in range(len(ends))]
    faults += [_fault(what, "a.tar", PLAIN[:at]) for what, at in zip(whole, ends, strict=True)]
    faults += [
        _fault(f"{what}, packed", "a.tar.gz", gzip.compress(PLAIN[:at]))
        for what, at in zip(whole, ends, strict=True)
    ]
    faults.append(_fault("zeros from its third member on", "a.tar",
                         PLAIN[: ends[1]] + bytes(len(PLAIN) - ends[1])))  # fmt: skip
    return faults


def flips(name: str, step: int) -> Any:
    """Flip one bit at a time; return the outcomes and the expected outcomes."""
    data, kinds = WHOLE[name], set()
    inside = [range(info.offset_data, info.offset_data + info.size) for info in members()]
    for bit in range(0, 8 * len(data), step):
        if name == "a.tar" and any(bit // 8 in part for part in inside):
            continue  # a tar only has checksums of its headers
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        Path(name).write_bytes(altered)
        shutil.rmtree(ROOT, ignore_errors=True)
        try:
            got, expected = taken(name)
            kinds.add("the same" if got == expected else f"altered by bit {bit}")
        except UserError as error:
            kinds.add("refused" if "\n" not in str(error) else str(error))
    return kinds | {"the same"}, {"the same", "refused"}


def bombs() -> list[Fault]:
    """Return small archives that unpack to much data."""
    zeros, more = bytes(1 << 20), "more than 100 times"
    big = [(f"{n}.bin", zeros * 9) for n in range(12)]
    packed = partial(gzip.compress, compresslevel=1, mtime=0)
    hidden = [member("skip/z", zeros * 105), *(member(*item) for item in FILES.items())]
    claim = tarfile.TarInfo("a")
    claim.size = 10**15
    header = claim.tobuf(tarfile.GNU_FORMAT)
    pax = tarfile.TarInfo("p")
    pax.type, pax.size = tarfile.XHDTYPE, 105 << 20
    extended = pax.tobuf() + bytes(105 << 20)
    return [
        _fault("12 members of zeros", "a.zip", lambda: zipped(big), more),
        _fault("12 members of zeros", "a.tar.gz",
               lambda: packed(tar(member(*one) for one in big)), more),
        _fault("one member of zeros", "a.zip", lambda: zipped([("a", zeros * 105)]), more),
        _fault("zeros in a member that is not needed", "a.tar.gz",
               lambda: packed(tar(hidden)), more),
        _fault("a header of zeros", "a.tar.gz", lambda: packed(extended), more),
        _fault("a member that claims 10^15 bytes", "a.tar", header, more),
        _fault("a member that claims 10^15 bytes", "a.tar.gz", packed(header), more),
    ]  # fmt: skip


def paths() -> list[Fault]:
    """Return archives whose members would be written elsewhere or over one another."""
    faults = []
    places = {"../evil": "outside", "/tmp/evil": "outside", "C:/evil": "outside",
              "photos\\..\\..\\evil": "outside", "a/../../evil": "outside"}  # fmt: skip
    for name, says in places.items():
        faults.append(_fault(f"a member `{name}`", "a.tar", tar([member(name)]), says))
        faults.append(_fault(f"a member `{name}`", "a.zip", zipped([(name, b"x")]), says))
    kinds = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE,
             "pipe": tarfile.FIFOTYPE}  # fmt: skip
    for what, kind in kinds.items():
        data = tar([member("a", b"", kind, "/etc/passwd")])
        faults.append(_fault(f"a {what}", "a.tar", data, "is a link or a device"))
    link = zipfile.ZipInfo("a")
    link.external_attr = 0o120777 << 16
    locked = bytearray(zipped([("a", b"x")]))
    locked[locked.index(b"PK\1\2") + 8] |= 1
    faults += [
        _fault("a link", "a.zip", zipped([(link, b"/etc/passwd")]), "is a link or a device"),
        _fault("a duplicate member", "a.tar", tar([member("a"), member("a", b"y")]), "twice"),
        _fault("a file that is a folder too", "a.tar",
               tar([member("a"), member("a/b")]), "a file and a folder"),
        _fault("a file that is a folder too", "a.zip",
               zipped([("a/b", b"x"), ("a", b"y")]), "a file and a folder"),
        _fault("a name of 300 characters", "a.tar", tar([member("n" * 300)]), "name is too long"),
        _fault("a name of 300 characters", "a.zip", zipped([("n" * 300, b"")]), "name is too long"),
        _fault("a name with a line end", "a.tar", tar([member("../a\nb\x1b[2J")]), r"\\n"),
        _fault("a member with a password", "a.zip", bytes(locked), "is encrypted"),
    ]  # fmt: skip
    return faults


def of_header(info: tarfile.TarInfo, headers: dict[str, str]) -> bytes:
    """Return a tar of one member with extended headers."""
    info.pax_headers = headers
    return tar([(info, b"x")], format=tarfile.PAX_FORMAT)


def crafted() -> list[Fault]:
    """Return headers that contradict what follows them, and gzips that cost much to read."""
    (one, _), (sparse, _) = member("a"), member("a", b"x", tarfile.GNUTYPE_SPARSE)
    holes = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000000"}
    packed, nothing = WHOLE["a.tar.gz"], gzip.compress(b"")
    halves = [gzip.compress(part) for part in (PLAIN[:20_000], PLAIN[20_000:])]
    commented = b"\x1f\x8b\x08\x10" + bytes(6) + b"c" * (30 << 20) + b"\0" + packed[10:]
    index, end = WHOLE["a.zip"].index(b"PK\1\2"), WHOLE["a.zip"].index(b"PK\5\6")
    crc = bytearray(WHOLE["a.zip"])
    crc[14] ^= 1
    crc[index + 16] ^= 1
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2**60, 2**60, 2**60, 0)
    wide += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    return [
        _fault("a member without a name", "a.tar", of_header(one, {"path": ""}), "has no name"),
        _fault("a member without a name", "a.zip", partial(named, ""), "has no name"),
        _fault("a member `.`", "a.zip", partial(named, "."), "has no name"),
        _fault("a member of -1,536 bytes", "a.tar", of_header(one, {"size": "-1536"}),
               "negative size"),
        _fault("a member with holes of 1 TB", "a.tar", of_header(one, holes), "has holes"),
        _fault("a member with holes", "a.tar", tar([(sparse, b"x")]), "has holes"),
        _fault("an extended header that leads out", "a.tar", of_header(one, {"path": "../evil"}),
               "outside"),
        _fault("50,000 headers for one member", "a.tar",
               tar([member("n", b"n\0", tarfile.GNUTYPE_LONGNAME)])[:1024] * 50_000 + PLAIN),
        _fault("3 million empty parts", "a.tar.gz", lambda: nothing * 3_000_000 + packed),
        _fault("a gzip in it", "a.tar.gz", gzip.compress(packed)),
        _fault("a wrong checksum in index and member", "a.zip", bytes(crc), "CRC-32"),
        _fault("2^60 members by a 64-bit index", "a.zip",
               WHOLE["a.zip"][:end] + wide + WHOLE["a.zip"][end:]),
        *(Fault(what, "a.tar.gz", "accepted", written("a.tar.gz", data)) for what, data in {
            "two parts": halves[0] + halves[1],
            "zeros between two parts": halves[0] + bytes(99_999) + halves[1],
            "60 MB of zeros after its end": lambda: packed + bytes(60 << 20),
            "a comment of 30 MB": commented,
        }.items()),
    ]  # fmt: skip


def named(name: str) -> bytes:
    """Return a zip of one member with a name that zipfile would not write."""
    info = zipfile.ZipInfo("other")
    info.filename = name
    return zipped([(info, b"x")])


def others() -> list[Fault]:
    """Return files that are not archives, and unusual files that are."""
    faults = [
        _fault(what, name, data)
        for name in WHOLE
        for what, data in {"empty": b"", "a text": b"<html>Not found</html>"}.items()
    ]
    faults += [
        _fault("a tar with another name", "a.zip", WHOLE["a.tar"]),
        _fault("a zip with another name", "a.tar.gz", WHOLE["a.zip"]),
        Fault("a plain tar with this name", "a.tar.gz", "accepted", written("a.tar.gz", PLAIN)),
        Fault("a gzip with this name", "a.tar", "accepted", written("a.tar", WHOLE["a.tar.gz"])),
        Fault("missing", "a.zip", "refused", partial(taken, "a.zip"), "a.zip: no such file"),
        Fault("a folder in its place", "a.zip", "refused",
              lambda: (Path("a.zip").mkdir(), taken("a.zip")), "a.zip: is a folder"),
    ]  # fmt: skip
    return faults


FAULTS = [
    *cuts(),
    *(Fault("single bits flipped (of a plain tar: in headers)", name, "accepted",
            partial(flips, name, step)) for name, step in
      {"a.tar": 1009, "a.tar.gz": 1009, "a.zip": 1009}.items()),
    *(Fault("every 211th bit flipped (of a plain tar: in headers)", name, "accepted",
            partial(flips, name, 211), long=True) for name in WHOLE),
    *bombs(),
    *paths(),
    *crafted(),
    *others(),
]  # fmt: skip
