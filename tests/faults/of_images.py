"""A dataset's file that is a program, a bomb, damaged, or not an image, when it is prepared."""

import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from faults.injector import Fault
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.data.open_image import check_images, open_image

KIND = "Images"
NAME = "a.png"
NOISE = random.Random(5).randbytes(3 * 64 * 48)
PHOTO = Image.frombytes("RGB", (64, 48), NOISE)
PROGRAM = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 9 9
(pwned) (w) file dup (x) writestring closefile { } loop
"""
OTHERS = {
    "an EPS whose program writes a file and does not end": PROGRAM,
    "an EPS in a DOS wrapper": b"\xc5\xd0\xd3\xc6" + struct.pack("<7I", 30, len(PROGRAM), *[0] * 5)
    + PROGRAM,
    "a PDF": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch>>>>endobj\n",
    "an SVG with a script": b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
    "an MVG of ImageMagick": b"push graphic-context\nfill 'url(|touch pwned)'\n",
    "a page of HTML": b"<!DOCTYPE html><title>Not found</title>",
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.",
    "nothing": b"",
    "random bytes": NOISE[:4000],
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
}  # fmt: skip


def saved(kind: str, image: Image.Image = PHOTO, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """Return a PNG that claims the given size, with additional chunks and the pixels of one row."""
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    row = chunk(b"IDAT", zlib.compress(bytes(1 + 3 * min(width, 1000))))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + row + chunk(b"IEND", b"")


def scans(width: int, height: int, count: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    data = saved("JPEG", Image.new("RGB", (width, height), "white"), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def checked(data: bytes | Callable[[Path], Any], name: str = NAME) -> Callable[[], Any]:
    """Return a function that writes an image, or something in its place, and prepares it."""

    def inject() -> Any:
        data(Path(name)) if callable(data) else Path(name).write_bytes(data)
        return check_images(Path(), [name], {})

    return inject


def shown(data: bytes) -> Callable[[], Any]:
    """Return a function that writes an image and returns its pixels and the expected pixels."""

    def inject() -> Any:
        Path(NAME).write_bytes(data)
        return open_image(Path(NAME)).tobytes(), NOISE

    return inject


def flips(kind: str, step: int, name: str = NAME) -> Any:
    """Flip one bit at a time; return whether each image was accepted or refused."""
    data, kinds = saved(kind), set()
    for bit in range(0, 8 * len(data), step):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        Path(name).write_bytes(altered)
        try:
            check_images(Path(), [name], {})
            kinds.add("taken or refused")
        except UserError as error:
            kinds.add("taken or refused" if "\n" not in str(error) else str(error))
    return kinds, {"taken or refused"}


JPEG = saved("JPEG")
ICC = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 20)))
SCREEN = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
# Read byte by byte, or one small part after another, by a decoder that is written in Python
MANY_PARTS = {
    "3 MB between its marks": ("a.jpg", lambda: JPEG[:2] + b"\xff" * (3 << 20) + JPEG[2:]),
    "400,000 comments": ("a.jpg", lambda: JPEG[:2] + b"\xff\xfe\0\3x" * 400_000 + JPEG[2:]),
    "400,000 texts": ("a.png", lambda: png(9, 1, *[chunk(b"tEXt", b"a\0b")] * 400_000)),
    "3 MB between its blocks": ("a.gif", lambda: SCREEN + b"\1" * (3 << 20)),
    "a comment of 2 MB": (
        "a.ppm",
        lambda: b"P6 #" + b"c" * (2 << 20) + b"\n9 9 255\n" + bytes(243),
    ),
}


def loop() -> bytes:
    """Return a TIFF whose directory of tags is followed by itself."""
    data = bytearray(saved("TIFF"))
    at = struct.unpack("<I", data[4:8])[0]
    end = at + 2 + 12 * struct.unpack("<H", data[at : at + 2])[0]
    data[end : end + 4] = struct.pack("<I", at)
    return bytes(data)


def strips(count: int) -> bytes:
    """Return a TIFF of one column of grey pixels, each in a strip of its own."""
    lists = 8 + 2 + 8 * 12 + 4  # the strips' places and sizes, which are all the same bytes
    tags = [(256, 1, 1), (257, 1, count), (258, 1, 8), (259, 1, 1), (262, 1, 1),
            (273, count, lists), (278, 1, 1), (279, count, lists)]  # fmt: skip
    data = b"II*\0" + struct.pack("<IH", 8, len(tags))
    data += b"".join(struct.pack("<2H2I", tag, 4, number, value) for tag, number, value in tags)
    return data + bytes(4) + struct.pack("<I", 1) * count


def frames(count: int) -> bytes:
    """Return a PNG of PHOTO that claims so many frames."""
    data = saved("PNG")
    return data[:33] + chunk(b"acTL", struct.pack(">2I", count, 0)) + data[33:]


def _made(data: Callable[[], bytes]) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(data())


def _fault(what: str, data: Any, says: str, name: str = NAME, **more: Any) -> Fault:
    return Fault(what, name, "refused", checked(data, name), f"^{name}: {says}", **more)


COMPLETE, MANY = "not a complete image", "the maximum is 100000000|far more than 100000000"
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif",
           "PPM": "ppm"}  # fmt: skip
FAULTS = [
    *(_fault(f"{what}", data, COMPLETE) for what, data in OTHERS.items()),
    _fault("an EPS whose program does not end", PROGRAM, COMPLETE, "a.eps"),
    _fault("30,000 × 30,000 pixels of a PNG", png(30_000, 30_000), MANY),
    _fault("10,001 × 10,000 pixels of a PNG", png(10_001, 10_000), MANY),
    _fault("4 × 10^9 pixels wide", png(2**31 - 1, 2), MANY),
    _fault("30,000 × 30,000 pixels of a BMP",
           b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 30_000, 30_000, 1, 24, 0, 0,
                               0, 0, 0, 0), MANY),
    _fault("30,000 × 30,000 pixels of a PPM", b"P6 30000 30000 255\n", MANY),
    _fault("30,000 × 30,000 pixels of a GIF",
           b"GIF89a" + struct.pack("<HHBBB", 30_000, 30_000, 0x80, 0, 0) + bytes(6)
           + b"," + struct.pack("<HHHHB", 0, 0, 30_000, 30_000, 0) + b"\2\2\x4c\1\0;", MANY),
    _fault("no pixels", png(0, 5), COMPLETE),
    _fault("a text of 100 MB in a chunk",
           lambda path: path.write_bytes(
               png(9, 9, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20))))), COMPLETE),
    _fault("a colour profile of 100 MB in a chunk",
           lambda path: path.write_bytes(
               png(9, 9, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100 << 20))))), COMPLETE),
    _fault("600 scans of 2,000 × 2,000 pixels", scans(2000, 2000, 600), ".* 609 scans",
           "a.jpg"),
    _fault("2 GB", lambda path: (path.touch(), os.truncate(path, 2 << 30)), "2147483648 bytes"),
    _fault("a folder in its place", Path.mkdir, "image is missing"),
    _fault("a pipe in its place", os.mkfifo, "is not a file"),
    _fault("a link to an endless device", lambda path: path.symlink_to("/dev/zero"),
           "is not a file"),
    _fault("a link to itself", lambda path: path.symlink_to(path), "cannot be read"),
    _fault("a link to nothing", lambda path: path.symlink_to("nothing"), "image is missing"),
    *(_fault("its first half", saved(kind)[: len(saved(kind)) // 2], COMPLETE, f"a.{ending}")
      for kind, ending in ENDINGS.items()),
    *(_fault("its first 20 bytes", saved(kind)[:20], COMPLETE, f"a.{ending}")
      for kind, ending in ENDINGS.items()),
    *(_fault(what, _made(data), ".*more than 1000000 parts", name)
      for what, (name, data) in MANY_PARTS.items()),
    _fault("3,000 colour profiles of 1 MB", _made(lambda: png(9, 1, *[ICC] * 3000)),
           "more than 10 colour profiles"),
    _fault("a PPM as text", b"P3 9 9 255\n" + b"1 " * 243, ".* as text", "a.ppm"),
    _fault("a comment in each line of a PPM as text",
           _made(lambda: b"P3 9 9 255\n" + b"#\n" * (1 << 20)), ".* as text", "a.ppm"),
    _fault("a frame far outside a GIF",
           SCREEN + b"," + struct.pack("<4HB", 60_000, 60_000, 1, 1, 0) + b"\2\2\x4c\1\0;", MANY,
           "a.gif"),
    _fault("a second header of 20,000 × 20,000 pixels",
           png(9, 1, png(20_000, 20_000)[8:33]), MANY),
    _fault("200,000 strips of one pixel", strips(200_000), ".*200000 strips, the maximum is",
           "a.tif"),
    Fault("a TIFF whose pages do not end", NAME, "accepted", shown(loop())),
    Fault("an animation of 2^31 frames", NAME, "accepted", shown(frames(2**31 - 1))),
    *(Fault("single bits flipped", f"a.{ending}", "accepted", partial(flips, kind, 4999), )
      for kind, ending in ENDINGS.items()),
    *(Fault("every 31st bit flipped", f"a.{ending}", "accepted", partial(flips, kind, 31),
            long=True)
      for kind, ending in ENDINGS.items()),
    *(Fault(f"a {kind} with this name", NAME, "accepted", shown(saved(kind)))
      for kind in ("BMP", "PPM", "TIFF")),
]  # fmt: skip
