"""Page templates, with escaping of text from data, and the limit on page size."""

from pathlib import Path

import jinja2

from eyechart.core.errors import UserError
from eyechart.core.files import write_text
from eyechart.report.format import duration, p_value, share, size
from eyechart.report.labels import CONDITION_NAMES, WITHOUT_IMAGE

FOLDER = Path(__file__).resolve().parent
FILTERS = {"share": share, "p": p_value, "size": size, "duration": duration}


def open_templates() -> jinja2.Environment:
    """Return the templates of the report; an undefined name in a template is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    environment.globals |= {
        "style": (FOLDER / "style.css").read_text(encoding="utf-8"),
        "condition_names": CONDITION_NAMES,
        "without_image": WITHOUT_IMAGE,
    }
    return environment


def render_section(name: str, **context: object) -> str:
    """Return the HTML of one section."""
    return open_templates().get_template(f"sections/{name}/template.html.j2").render(**context)


def render_sheet(section: str, **context: object) -> str:
    """Return the separate page of a section."""
    return open_templates().get_template(f"sections/{section}/sheet.html.j2").render(**context)


def write_page(path: Path, text: str, most: float, hint: str) -> None:
    """Write a page of at most ``most`` megabytes.

    Raise a UserError if it is larger; ``hint`` states what to change.
    """
    megabytes = len(text.encode()) / 1e6
    if megabytes > most:
        raise UserError(
            f"{path}: the page would take {megabytes:.1f} MB, expected at most {most}; {hint}"
        )
    write_text(path, text)
