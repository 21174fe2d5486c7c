"""Turn errors that a model's own code raises about an image or a prompt into one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from eyechart.core.errors import UserError, lacks, shorter
from eyechart.models.limits import TooMuchError


class UnusableError(UserError):
    """An image or a prompt that a model's own code cannot process."""


@contextmanager
def usable(what: str, checkpoint: str) -> Iterator[None]:
    """Turn any error that a processor or tokenizer raises in the block into an UnusableError.

    ``what`` names the image or item. Errors such as running out of memory are not converted.
    """
    try:
        yield
    except (TooMuchError, UnusableError):
        raise
    except UserError as error:
        raise UnusableError(f"{what}: {error}") from error
    except Exception as error:
        if lacks(error):
            raise
        told = shorter(error)
        raise UnusableError(
            f"{what}: {checkpoint} cannot process it ({type(error).__name__}: {told})"
        ) from error
