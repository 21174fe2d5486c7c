"""Check the configuration before anything else, and fill in its defaults.

Snakemake imports this at parse time, so it needs neither numpy nor torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from eyechart.core.errors import UserError, shorter
from eyechart.plan.config.mistakes import Files, dig, sentence
from eyechart.plan.config.root import with_defaults
from eyechart.plan.configuration import Config, check_known, known_models

MOST = 400  # characters of a sentence
OF_MODELS = ("models", "checkpoints", "revisions", "remote_code", "loading.models")


def check(config: dict[str, Any], files: Sequence[str | Path]) -> Config:
    """Return a merged configuration with all defaults filled in.

    Raise a UserError for the first mistake, with file, key, value and what was expected.

    Parameters
    ----------
    config : what Snakemake merged from all config files and ``--config``
    files : sequence of paths; the config files in the order in which they were merged; an error
        names the last of them that holds the key
    """
    held = Files(files)
    try:
        filled = with_defaults(config)
    except ValidationError as error:
        raise UserError(shorter(sentence(error.errors(), config, held), MOST)) from None
    known = known_models()
    for key in OF_MODELS:
        place = key.split(".")
        named, _ = dig(filled, place)
        for model in named:
            check_known(f"{held.of(place, dig(config, place)[0])}: {key}", "model", model, known)
    return filled
