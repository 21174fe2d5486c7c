"""The on-disk layout of Stroop images: coloured words, and images of the colours.

No such dataset has been published with results. The layout is eyechart's own, modelled on the two
sample images of VLM-Lens (``black_in_blue.png``: the word, then its font colour) and its concept
search::

    Stroop.csv                  one row per word image, see below
    words/<anything>.png        also .jpg and .jpeg
    concepts/<name>/<anything>.png    at least two images of each colour
    Palette.csv                 name,red,green,blue (sRGB, 0 to 255); may be missing

``Stroop.csv`` has the columns ``file`` (a path relative to the dataset's folder), ``word``,
``font`` and ``background`` (names of colours). It may also have ``typeface``, ``size_px`` (the em),
``x`` and ``y`` (px: the centre of the word) and ``contrast`` (font against background, WCAG), which
are empty if unknown. The colours are those of ``Palette.csv`` in its order or, without it, the
sorted names of the folders. There are no splits; the only split of a dataset in this layout may
have any name.
"""

from pathlib import Path
from typing import Any, NamedTuple

from eyechart.core.errors import UserError, nearest
from eyechart.data.layouts.base import Inventory
from eyechart.data.records import Record, read_csv, require
from eyechart.tables import receipt

NAME = "stroop"
TOPS = ("stroop", "Stroop", "")  # possible top folders of an archive
FILES = (r"(Stroop|Palette)\.csv", r"(words|concepts)/(.*/)?[^./][^/]*\.(?i:png|jpe?g)")
RELEASED = None
TABLE, PALETTE = "Stroop.csv", "Palette.csv"
WORDS, CONCEPTS = "words", "concepts"
NEEDED = ("file", "word", "font", "background")
CUES = NEEDED[1:]
NUMBERS = ("size_px", "x", "y", "contrast")
ENDS = (".png", ".jpg", ".jpeg")
FEWEST = 2  # images per colour, because one is left out when the others are averaged


class Word(NamedTuple):
    """One row of ``Stroop.csv``; position and size are None if the table lacks them."""

    where: str
    file: str
    word: str
    font: str
    background: str
    typeface: str
    size_px: float | None
    x: float | None
    y: float | None
    contrast: float | None


class StroopFiles(NamedTuple):
    """The dataset: colours with sRGB values if known, words, and files of each colour."""

    colors: dict[str, list[int] | None]
    words: list[Word]
    concepts: dict[str, list[str]]


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts of the only split, and all files relative to ``root``."""
    found = read_dataset(root)
    images = [word.file for word in found.words]
    images += [file for files in found.concepts.values() for file in files]
    tables = [TABLE, *([PALETTE] if (root / PALETTE).exists() else [])]
    counts = receipt.SplitCounts(images=len(images), questions=0)
    return {splits[0]: counts}, [Path(file) for file in (*tables, *images)]


def read_dataset(root: Path) -> StroopFiles:
    """Read the palette, the table of words and the concept folders.

    Raise a UserError if a column is missing, a cell cannot be read, a word, font or background is
    not a colour of the palette, an image is missing or in two rows, or a colour has fewer than two
    images.
    """
    concepts = _read_concepts(root)
    colors = _read_palette(root / PALETTE, concepts)
    for name in colors:
        if len(concepts.get(name, [])) < FEWEST:
            raise UserError(
                f"{root / CONCEPTS / name}: {len(concepts.get(name, []))} images of the colour "
                f"{name!r}, expected at least {FEWEST} ({', '.join(ENDS)})"
            )
    records = read_csv(root / TABLE)
    require(records, NEEDED, root / TABLE)
    words: dict[str, Word] = {}
    for record in records:
        word = _word(record, colors)
        if word.file in words:
            raise UserError(
                f"{word.where}: file {word.file!r} is already in {words[word.file].where}"
            )
        if not (root / word.file).is_file():
            raise UserError(f"{word.where}: file is {word.file!r}, but this image does not exist")
        words[word.file] = word
    chosen = {name: concepts[name] for name in colors}
    return StroopFiles(colors, sorted(words.values(), key=lambda w: w.file), chosen)


def image_name(file: str) -> str:
    """Return the id of an image from its path: folders and file name without suffix.

    >>> image_name("words/red_in_blue.png"), image_name("concepts/red/red_001.jpg")
    ('word_red_in_blue', 'concept_red_red_001')
    """
    path = Path(file).with_suffix("")
    kind, *rest = path.parts if len(path.parts) > 1 else (WORDS, *path.parts)
    return "_".join((kind.removesuffix("s"), *rest))


def _read_concepts(root: Path) -> dict[str, list[str]]:
    folder = root / CONCEPTS
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder, expected one folder of images per colour, "
            f"{CONCEPTS}/<name>/"
        )
    found = {}
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(p for p in each.iterdir() if p.suffix.lower() in ENDS and p.is_file())
        images = [p for p in files if not p.name.startswith(".")]
        found[each.name] = [p.relative_to(root).as_posix() for p in images]
    return found


def _read_palette(path: Path, concepts: dict[str, list[str]]) -> dict[str, list[int] | None]:
    if not path.exists():
        return dict.fromkeys(sorted(concepts))
    records = read_csv(path)
    require(records, ("name", "red", "green", "blue"), path)
    found: dict[str, list[int] | None] = {}
    for record in records:
        name = record.values["name"]
        if name in found or not name:
            fault = "occurs twice" if name else "is empty"
            raise UserError(f"{record.where}: name {name!r} {fault}")
        found[name] = [_channel(record, column) for column in ("red", "green", "blue")]
    return found


def _channel(record: Record, column: str) -> int:
    text = record.values[column]
    if not text.isascii() or not text.isdigit() or int(text) > 255:
        raise UserError(f"{record.where}: {column} is {text!r}, expected a number from 0 to 255")
    return int(text)


def _word(record: Record, colors: dict[str, list[int] | None]) -> Word:
    values = record.values
    for column in CUES:
        if values[column] not in colors:
            raise UserError(
                f"{record.where}: {column} is {values[column]!r}, which is not a colour of the "
                f"palette; {nearest(values[column], colors)}"
            )
    file = Path(values["file"])
    if file.is_absolute() or ".." in file.parts or file.suffix.lower() not in ENDS:
        raise UserError(
            f"{record.where}: file is {values['file']!r}, expected the path of an image "
            f"({', '.join(ENDS)}) from the dataset's folder, e.g. words/red_in_blue.png"
        )
    cues = {column: values[column] for column in CUES}
    numbers: dict[str, Any] = {column: _number(record, column) for column in NUMBERS}
    return Word(
        where=record.where,
        file=file.as_posix(),
        typeface=values.get("typeface", ""),
        **cues,
        **numbers,
    )


def _number(record: Record, column: str) -> float | None:
    text = record.values.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UserError(f"{record.where}: {column} is {text!r}, expected a number, 0 or above")
    return value
