"""Templates of pages, in which text from data is escaped, and the limit of a page's size."""

from pathlib import Path

import jinja2

from eyechart.errors import UserError
from eyechart.tables.files import write_text


def open_templates(folder: Path) -> jinja2.Environment:
    """Give the templates of a folder; a name that is not given to a template is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(path: Path, text: str, most: float, hint: str) -> None:
    """Write a page of at most ``most`` megabytes.

    Raises
    ------
    UserError
        If it is larger; ``hint`` says what to change.
    """
    megabytes = len(text.encode()) / 1e6
    if megabytes > most:
        raise UserError(
            f"{path}: the page would have {megabytes:.1f} MB, expected at most {most}; {hint}"
        )
    write_text(path, text)
