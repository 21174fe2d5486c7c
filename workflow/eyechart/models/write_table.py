"""Write the documentation page with the table of all models.

Reads config/models/*.yaml; writes Markdown:

    python -m eyechart.models.write_table --output docs/models.md
"""

from pathlib import Path

from eyechart.core.files import write_text
from eyechart.core.step import command
from eyechart.models.spec import Spec, read_spec

MODELS = Path("config/models")
UNKNOWN = "not counted"
HEAD = """\
# Models

All models of `config/models/`, by the names that a configuration calls them. A model's file says
more of it in its `notes`; what such a file may say stands in
[the schema](../workflow/schemas/model.schema.yaml). This page is written by
`python -m eyechart.models.write_table --output docs/models.md`.

*Blocks* are those of the vision encoder and of the language model; *env* is the environment of the
steps that load it (`envs/<env>.yaml`); *gated* models are given only to users who accepted their
terms; *own code* comes with the checkpoint and runs only where the configuration allows it;
*encoder* is the model to be read out beside it.
"""
COLUMNS = [
    "model",
    "family",
    "parameters",
    "blocks",
    "env",
    "licence",
    "gated",
    "own code",
    "encoder",
]


def row(name: str, spec: Spec) -> list[str]:
    """Return a model's cells, in the order of ``COLUMNS``."""
    vision = UNKNOWN if spec.vision_blocks is None else str(spec.vision_blocks)
    lm = UNKNOWN if spec.lm_blocks is None else str(spec.lm_blocks)
    blocks = vision if spec.kind == "encoder" else f"{vision} + {lm}"
    return [
        f"[{name}](../config/models/{name}.yaml)",
        spec.family,
        UNKNOWN if spec.parameters is None else size(spec.parameters),
        UNKNOWN if vision == lm == UNKNOWN else blocks,
        spec.env,
        spec.licence,
        "gated" if spec.gated else "",
        "own code" if spec.trust_remote_code else "",
        spec.encoder or "",
    ]


def size(parameters: int) -> str:
    """Format a number of parameters in millions or billions, with three significant digits.

    Examples
    --------
    >>> size(7_063_427_072), size(86_580_480), size(29_123)
    ('7.06 B', '86.6 M', '0.0291 M')
    """
    unit, letter = (1e9, "B") if parameters >= 1e9 else (1e6, "M")
    return f"{parameters / unit:#.3g}".rstrip(".") + f" {letter}"


def page(specs: dict[str, Spec]) -> str:
    """Return the page: vision-language models, then encoders, each by name."""
    parts = [HEAD]
    for kind, title in (("vlm", "Vision-language models"), ("encoder", "Encoders alone")):
        rows = [row(name, spec) for name, spec in specs.items() if spec.kind == kind]
        lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
        parts.append(f"## {title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines))
    return "\n".join(parts)


@command
def main(*, output: Path) -> None:
    """Read all specs and write the page."""
    write_text(output, page({p.stem: read_spec(p) for p in sorted(MODELS.glob("*.yaml"))}))


if __name__ == "__main__":
    main()
