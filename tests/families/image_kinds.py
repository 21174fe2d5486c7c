"""Small images in every supported file format."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SIZE = (44, 32)
ORIENTATION = 0x0112


def _photo(seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)


def _clear(mode="RGBA", opaque=False):
    image = _photo().convert("RGBA")
    ramp = np.linspace(0, 255, SIZE[0]).astype(np.uint8)[None].repeat(SIZE[1], 0)
    image.putalpha(255 if opaque else Image.fromarray(ramp))
    return image.convert(mode)


def _turned(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return {"exif": exif}


def _deep():
    return Image.fromarray(np.asarray(_photo().convert("L")).astype(np.uint16) * 257)


def _shares():
    return Image.fromarray(np.asarray(_photo().convert("L")).astype(np.float32) / 255)


def _more():
    return {"save_all": True, "append_images": [_photo(1)]}


# name: the file's suffix, the image, and the arguments for saving it
SAME = {
    "png": ("png", _photo(), {}),
    "jpeg": ("jpg", _photo(), {}),
    "progressive jpeg": ("jpg", _photo(), {"progressive": True}),
    "grey jpeg": ("jpg", _photo().convert("L"), {}),
    "cmyk jpeg": ("jpg", _photo().convert("CMYK"), {}),
    "mpo": ("jpg", _photo(), {"format": "MPO", **_more()}),
    "webp": ("webp", _photo(), {}),
    "animated webp": ("webp", _photo(), _more()),
    "bmp": ("bmp", _photo(), {}),
    "gif": ("gif", _photo(), {}),
    "animated gif": ("gif", _photo(), _more()),
    "tiff": ("tif", _photo(), {}),
    "tiff of two pages": ("tif", _photo(), _more()),
    "ppm": ("ppm", _photo(), {}),
    "pgm": ("pgm", _photo().convert("L"), {}),
    "one bit": ("png", _photo().convert("1"), {}),
    "palette": ("png", _photo().quantize(8), {}),
    "clear palette": ("png", _photo().quantize(8), {"transparency": 3}),
    "opaque alpha": ("png", _clear(opaque=True), {}),
    "alpha": ("png", _clear(), {}),
    "alpha webp": ("webp", _clear(), {"lossless": True}),
    "grey alpha": ("png", _clear("LA"), {}),
    "one clear colour": ("png", _photo(), {"transparency": _photo().getpixel((3, 3))}),
}
# kinds that a processor reads differently, with the image that it gets instead
DIFFERENT = {
    "turned jpeg": ("jpg", _photo(), _turned(6), ImageOps.exif_transpose),
    "turned png": ("png", _photo(), _turned(8), ImageOps.exif_transpose),
    "turned webp": ("webp", _photo(), _turned(3), ImageOps.exif_transpose),
    "deep png": ("png", _deep(), {}, lambda _: _photo().convert("L").convert("RGB")),
    "deep tiff": ("tif", _deep(), {}, lambda _: _photo().convert("L").convert("RGB")),
    "fractions": ("tif", _shares(), {}, lambda _: _photo().convert("L").convert("RGB")),
}


def save(kind: str, folder: Path) -> Path:
    """Write a file of the given kind."""
    ending, image, how = (SAME.get(kind) or DIFFERENT[kind])[:3]
    path = folder / f"{kind.replace(' ', '_')}.{ending}"
    image.save(path, **how)
    return path
