"""Install a checkpoint from the user's own folder in Hugging Face layout.

Reads: the needed files of the folder, and the model's spec.
Writes: links to those files under data/models/<model>/; ``ready.json`` there, last.

    python -m eyechart.models.sources.link_local_model --model llava_1_5_7b \
        --source /mnt/weights/llava --spec config/models/llava_1_5_7b.yaml \
        --output data/models/llava_1_5_7b/ready.json
"""

import logging
from pathlib import Path
from typing import Any

from tqdm import tqdm

from eyechart.core.errors import UserError
from eyechart.core.files import describe
from eyechart.core.links import link_files
from eyechart.core.step import command
from eyechart.core.threads import thread_pool
from eyechart.models.sources import permission
from eyechart.models.sources.hub_files import choose, choose_companion
from eyechart.models.sources.ready_file import NAME, write_ready
from eyechart.models.spec import Spec, read_spec

_THREADS = 4  # hashing releases the GIL and waits for the disk
_log = logging.getLogger(__name__)


def needed(source: Path, spec: Spec, code: bool) -> list[str]:
    """Return the needed files of the user's folder, including its companions'.

    Raise a UserError if there is no such folder, or if it is not a checkpoint.
    """
    if not source.is_dir():
        what = "is a file" if source.exists() else "no such folder"
        raise UserError(f"{source}: {what}; expected a folder in Hugging Face layout")
    found = choose(str(source), _files(source), spec.weights, code)
    for repository, what in spec.companions.items():
        if (source / repository).is_dir():  # otherwise, loading the model reports what is missing
            files = _files(source / repository)
            chosen = choose_companion(f"{source / repository}", files, what, spec.weights)
            found += [f"{repository}/{path}" for path in chosen]
    return found


def take(source: Path, folder: Path, names: list[str]) -> list[dict[str, Any]]:
    """Link the files and return their entries; remove links to an earlier folder.

    Raise a UserError if there are real files at the paths of the links.
    """
    if source.resolve() != folder.resolve():
        for path in folder.rglob("*"):
            if path.is_symlink():
                path.unlink()
    link_files(source, folder, [Path(name) for name in names])
    with thread_pool(_THREADS) as pool:
        entries = pool.map(lambda name: {**describe(folder / name), "path": name}, names)
        return list(entries)


@command
def main(
    *, model: str, source: Path, spec: Path, allow_remote_code: bool = False, output: Path
) -> None:
    """Choose, link and hash the files, and write ``ready.json`` last."""
    wanted, folder = read_spec(spec), source.expanduser()
    code = permission.check(model, wanted, allow_remote_code, None)
    files = take(folder, output.parent, needed(folder, wanted, code))
    total = tqdm.format_sizeof(sum(entry["bytes"] for entry in files), "B")
    _log.info("%s: %d files, %s, licence %s", model, len(files), total, wanted.licence)
    origin = {"source": "folder", "checkpoint": str(folder), "code": code}
    write_ready(output, model, origin, files)


def _files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return [name for p in found if (name := p.relative_to(folder).as_posix()) != NAME]


if __name__ == "__main__":
    main()
