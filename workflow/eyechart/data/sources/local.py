"""Take a dataset the user already has, as a folder, zip or tar, in its official layout.

Reads: the folder or archive, with or without its official top folder. Writes, under the dataset's
folder: links to a folder's files, or the needed files of an archive; the receipt ``acquired.json``,
last.

    python -m eyechart.data.sources.local --dataset clevr --source /data/CLEVR_v1.0 \
        --settings '{"layout": "clevr", "splits": ["train", "val"]}' \
        --root data/raw/clevr --output data/raw/clevr/acquired.json
"""

import argparse
import json
import logging
from functools import partial
from pathlib import Path

from eyechart.core import errors
from eyechart.core.errors import UserError
from eyechart.core.links import link_files
from eyechart.data.layouts import base as layouts_base
from eyechart.data.sources.archive import unpack
from eyechart.tables.receipt import write_receipt


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; every flag is required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Link or unpack, count; write the receipt last."""
    args = parse_args(argv)
    splits = args.settings["splits"]
    layout = layouts_base.find(args.settings["layout"])
    layouts_base.check_output(args.root, args.output)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.source.is_dir():
        top = layouts_base.top_of(args.source, layout)
        counts, files = layouts_base.inventory(
            layout, top, splits
        )  # so that errors name the user's paths
        link_files(top, args.root, files)
    elif args.source.exists():
        unpack(args.source, args.root, partial(layouts_base.member, layout, splits=splits))
        counts, files = layouts_base.inventory(layout, args.root, splits)
    else:
        raise UserError(f"{args.source}: no such folder, zip or tar")
    write_receipt(
        args.root,
        dataset=args.dataset,
        layout=layout.NAME,
        source="local",
        splits=counts,
        files=files,
    )


if __name__ == "__main__":
    errors.run(main)
