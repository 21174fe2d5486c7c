"""Whether code that comes with a checkpoint may run: only where spec and user both say so.

Snakemake imports this at parse time, and so does every step that loads a model, in any environment.
"""

import re

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec

COMMIT = re.compile(r"[0-9a-f]{40}")


def check(model: str, spec: Spec, allowed: bool, revision: str | None) -> bool:
    """Say whether a model runs code of its own, after checking that it may.

    Parameters
    ----------
    model : str
        Its name, for the error.
    spec : Spec
        What config/models/<model>.yaml says.
    allowed : bool
        Whether the user's configuration lists the model under ``remote_code``.
    revision : str or None
        What of the hub's repository is taken; None for a folder that the user gave.

    Raises
    ------
    UserError
        If the model needs its own code and the user did not allow it, or the revision is a name
        that others can move to other code.
    """
    if not trusted(model, spec, allowed):
        return False
    if revision is not None and not COMMIT.fullmatch(revision):
        raise UserError(
            f"models: {model} runs code that comes with its checkpoint, so its revision must be a "
            f"commit and not {revision!r}, which can come to mean other code; write "
            f"revisions: {{{model}: <40 hex digits>}} in the configuration"
        )
    return True


def trusted(model: str, spec: Spec, allowed: bool) -> bool:
    """Say whether a model runs code of its own; a UserError if so and the user did not allow it."""
    if spec.trust_remote_code and not allowed:
        raise UserError(
            f"models: {model} runs code that comes with its checkpoint ({spec.checkpoint}); if you "
            f"trust that code, write remote_code: [{model}] in the configuration"
        )
    return spec.trust_remote_code
