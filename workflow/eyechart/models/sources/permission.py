"""Permission to run code that comes with a checkpoint: spec and user must both allow it.

Imported by Snakemake at parse time and by every step that loads a model, in any environment.
"""

import re

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec

COMMIT = re.compile(r"[0-9a-f]{40}")


def check(model: str, spec: Spec, allowed: bool, revision: str | None) -> bool:
    """Return whether a model runs its own code, after checking that it is allowed to.

    Raise a UserError if the model needs its own code and the user did not allow it, or if the
    revision is not a commit and could later point to other code.

    Parameters
    ----------
    model : name of the model, for the error
    spec : the file config/models/<model>.yaml
    allowed : whether the user's configuration lists the model under ``remote_code``
    revision : revision in the hub's repository; None for the user's own folder
    """
    if not trusted(model, spec, allowed):
        return False
    if revision is not None and not COMMIT.fullmatch(revision):
        raise UserError(
            f"models: {model} runs code that comes with its checkpoint, so its revision must be a "
            f"commit and not {revision!r}, whose code may change; write "
            f"revisions: {{{model}: <40 hex digits>}} in the configuration"
        )
    return True


def trusted(model: str, spec: Spec, allowed: bool) -> bool:
    """Return whether a model runs its own code; raise a UserError if that is not allowed."""
    if spec.trust_remote_code and not allowed:
        raise UserError(
            f"models: {model} runs code that comes with its checkpoint ({spec.checkpoint}); if you "
            f"trust that code, write remote_code: [{model}] in the configuration"
        )
    return spec.trust_remote_code
