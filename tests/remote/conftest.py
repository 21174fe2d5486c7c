"""Fixtures for tests of remote code: the user's checkpoints and an importable torchvision.

The checkpoints and their code cannot be shipped with this project. The environment variable
EYECHART_REMOTE_CHECKPOINTS names a folder with one subfolder per family, or two if the family has
two kinds of language model; see ``cases.FOLDERS``.
"""

import os
import warnings
from pathlib import Path

import pytest
import torch
from cases import FOLDERS, OPERATORS, spec_of

CHECKPOINTS = "EYECHART_REMOTE_CHECKPOINTS"

_KEPT = {}
if not torch.cuda.is_available():
    exec(OPERATORS, _KEPT)
with warnings.catch_warnings():  # old releases of transformers warn on import
    warnings.simplefilter("ignore")
    import transformers

    transformers.logging.set_verbosity_error()

from eyechart.core.errors import UserError  # noqa: E402
from eyechart.models.load import adapter_of  # noqa: E402


@pytest.fixture(scope="session")
def folder_of():
    """Return a function that returns a family's checkpoint or skips the test."""

    def find(family):
        found = os.environ.get(CHECKPOINTS)
        if not found:
            pytest.skip(f"{CHECKPOINTS} is not set: no checkpoint of {family} to test on")
        folder = Path(found) / family
        if not (folder / "config.json").is_file():
            pytest.skip(f"{folder} has no config.json: no checkpoint of {family} to test on")
        return folder

    return find


@pytest.fixture(scope="session")
def importable(tmp_path_factory):
    """Return a folder that makes torchvision importable in a separate process."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(OPERATORS, encoding="utf-8")
    return folder


@pytest.fixture(scope="session", params=list(FOLDERS))
def family(request, folder_of):
    """Return the folder name of a checkpoint whose family runs on the installed transformers."""
    folder_of(request.param)
    try:
        adapter_of(spec_of(request.param)).check_version()
    except UserError as error:
        pytest.skip(str(error))
    return request.param
