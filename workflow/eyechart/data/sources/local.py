"""Import a dataset that the user already has, as a folder, zip or tar, in its official layout.

Reads: the folder or archive, with or without its official top folder. Writes, under the dataset's
folder: links to a folder's files, or the needed files of an archive; the receipt ``acquired.json``,
last.

    python -m eyechart.data.sources.local --dataset clevr --source /data/CLEVR_v1.0 \
        --settings '{"layout": "clevr", "splits": ["train", "val"]}' \
        --root data/raw/clevr --output data/raw/clevr/acquired.json
"""

from functools import partial
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.core.links import link_files
from eyechart.core.step import Json, command
from eyechart.data.layouts import base as layouts_base
from eyechart.data.sources.archive import unpack
from eyechart.tables.receipt import write_receipt


@command
def main(*, dataset: str, source: Path, settings: Json, root: Path, output: Path) -> None:
    """Link or unpack, count; write the receipt last."""
    splits = settings["splits"]
    layout = layouts_base.find(settings["layout"])
    layouts_base.check_output(root, output)
    if source.is_dir():
        top = layouts_base.top_of(source, layout)
        # before linking, so that errors name the user's paths
        counts, files = layouts_base.inventory(layout, top, splits)
        link_files(top, root, files)
    elif source.exists():
        unpack(source, root, partial(layouts_base.member, layout, splits=splits))
        counts, files = layouts_base.inventory(layout, root, splits)
    else:
        raise UserError(f"{source}: no such folder, zip or tar")
    write_receipt(
        root, dataset=dataset, layout=layout.NAME, source="local", splits=counts, files=files
    )


if __name__ == "__main__":
    main()
