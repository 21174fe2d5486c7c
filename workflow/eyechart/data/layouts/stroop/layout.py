"""The on-disk layout of Stroop pictures: words in colours, and pictures of the colours.

No such layout was published with results; this one is eyechart's own, after VLM-Lens' two sample
pictures (``black_in_blue.png``: the word, then its font colour) and its concept search::

    Stroop.csv                  a row per word picture, see below
    words/<anything>.png        also .jpg and .jpeg
    concepts/<name>/<anything>.png    pictures of each colour, at least two
    Palette.csv                 name,red,green,blue (sRGB, 0 to 255); may be missing

``Stroop.csv`` has the columns ``file`` (a path from the dataset's folder), ``word``, ``font`` and
``background`` (names of colours), and may have ``typeface``, ``size_px`` (the em), ``x`` and ``y``
(px: the middle of the word) and ``contrast`` (font against background, WCAG); empty where unknown.
The colours are those of ``Palette.csv`` in its order, else the folders' names, sorted. There are no
splits: the one split of a dataset in this layout bears any name.
"""

import re
from pathlib import Path
from typing import NamedTuple

from eyechart.core.errors import UserError, nearest
from eyechart.data.layouts.base import within_top
from eyechart.data.layouts.mmvp.layout import check_one
from eyechart.data.records import Record, read_csv, require
from eyechart.tables import receipt

NAME = "stroop"
TOPS = ("stroop", "Stroop", "")  # folders that an archive may hold everything in
RELEASED = None  # any name will do for the one split
TABLE, PALETTE = "Stroop.csv", "Palette.csv"
WORDS, CONCEPTS = "words", "concepts"
NEEDED = ("file", "word", "font", "background")
CUES = NEEDED[1:]
ENDS = (".png", ".jpg", ".jpeg")
FEWEST = 2  # pictures of a colour: one of them is left out when the others are averaged


class Word(NamedTuple):
    """One row of ``Stroop.csv``; places and size are None where the table does not say."""

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
    """All of the layout: colours with their sRGB where known, words, and files of each colour."""

    colors: dict[str, list[int] | None]
    words: list[Word]
    concepts: dict[str, list[str]]


def member(name: str, splits: list[str]) -> str | None:
    """Give the path from the dataset's folder of an archive's member, or None if not needed."""
    path = within_top(name, TOPS)
    if path in (TABLE, PALETTE):
        return path
    fits = re.fullmatch(rf"({WORDS}|{CONCEPTS})/.*", path) and path.lower().endswith(ENDS)
    return path if fits and not Path(path).name.startswith(".") else None


def check_released(splits: list[str]) -> None:
    """Refuse several splits: all of the layout's pictures are one."""
    check_one(splits, NAME)


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Give the counts of the one split and all files, relative to ``root``.

    Raises
    ------
    UserError
        If the tables or folders cannot be read, see :func:`read_dataset`.
    """
    check_released(splits)
    found = read_dataset(root)
    pictures = [word.file for word in found.words]
    pictures += [file for files in found.concepts.values() for file in files]
    tables = [TABLE, *([PALETTE] if (Path(root) / PALETTE).exists() else [])]
    counts = receipt.SplitCounts(images=len(pictures), questions=0)
    return {splits[0]: counts}, [Path(file) for file in (*tables, *pictures)]


def read_dataset(root: Path) -> StroopFiles:
    """Read the palette, the table of words and the folders of concepts.

    Raises
    ------
    UserError
        If a column is missing, a cell cannot be read, a word, font or background is no colour of
        the palette, a picture is missing or stands in two rows, or a colour has fewer than two
        pictures.
    """
    root = Path(root)
    concepts = _read_concepts(root)
    colors = _read_palette(root / PALETTE, concepts)
    for name in colors:
        if len(concepts.get(name, [])) < FEWEST:
            raise UserError(
                f"{root / CONCEPTS / name}: {len(concepts.get(name, []))} pictures of the colour "
                f"{name!r}, expected at least {FEWEST} ({', '.join(ENDS)})"
            )
    records = read_csv(root / TABLE)
    require(records, NEEDED, root / TABLE)
    words: dict[str, Word] = {}
    for record in records:
        word = _word(record, colors)
        if word.file in words:
            raise UserError(
                f"{word.where}: file {word.file!r} stands already in {words[word.file].where}"
            )
        if not (root / word.file).is_file():
            raise UserError(f"{word.where}: file is {word.file!r}, but there is no such picture")
        words[word.file] = word
    chosen = {name: concepts[name] for name in colors}
    return StroopFiles(colors, sorted(words.values(), key=lambda w: w.file), chosen)


def image_name(file: str) -> str:
    """Give the id of a picture by its path: folders and file without its end.

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
            f"{folder}: no such folder, expected one of pictures of each colour in it, "
            f"{CONCEPTS}/<name>/"
        )
    found = {}
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(p for p in each.iterdir() if p.suffix.lower() in ENDS and p.is_file())
        pictures = [p for p in files if not p.name.startswith(".")]
        found[each.name] = [p.relative_to(root).as_posix() for p in pictures]
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
            fault = "stands there twice" if name else "is empty"
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
                f"{record.where}: {column} is {values[column]!r}, which is no colour of the "
                f"palette; {nearest(values[column], colors)}"
            )
    file = Path(values["file"])
    if file.is_absolute() or ".." in file.parts or file.suffix.lower() not in ENDS:
        raise UserError(
            f"{record.where}: file is {values['file']!r}, expected the path of a picture "
            f"({', '.join(ENDS)}) from the dataset's folder, e.g. words/red_in_blue.png"
        )
    return Word(
        where=record.where,
        file=file.as_posix(),
        word=values["word"],
        font=values["font"],
        background=values["background"],
        typeface=values.get("typeface", ""),
        size_px=_number(record, "size_px"),
        x=_number(record, "x"),
        y=_number(record, "y"),
        contrast=_number(record, "contrast"),
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
