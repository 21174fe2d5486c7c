"""Put what one model says about pairs of pictures on one page that works offline.

Reads:  scores, distributions and answers of the model on its datasets of pairs, their items and
        images, patterns.parquet and correlations.parquet, and mmvp.html.j2, answers.html.j2 and
        style.css of --templates
Writes: --output

    python -m eyechart.report.draw_mmvp --model tiny_llava --encoder tiny_clip \
        --patterns results/mmvp/patterns.parquet --correlations results/mmvp/correlations.parquet \
        --scores results/scores/tiny_llava/mmvp.parquet \
        --distributions results/scores/tiny_llava/mmvp.distributions.parquet \
        --answers results/answers/tiny_llava/mmvp/sighted.parquet \
        --items results/datasets/mmvp/items.parquet \
        --images results/datasets/mmvp/images.parquet \
        --settings '{"alpha": 0.01, "gallery_px": 160, "megabytes": 10, "worst_pairs": 6}' \
        --templates workflow/report --output results/mmvp/tiny_llava.html
"""

import argparse
import json
from pathlib import Path

import polars as pl

from eyechart import errors
from eyechart.report import mmvp_page, provenance
from eyechart.report.behaviour import audit, read_behaviour
from eyechart.report.patterns import pattern_table, read_comparisons, read_series
from eyechart.report.said import sentences
from eyechart.report.summary import Bar
from eyechart.report.templates import write_page
from eyechart.tables.parquet import read_table

READ = ("patterns", "correlations", "scores", "distributions", "answers", "items", "images")


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--encoder", required=True, help="the VLM's own encoder, or nothing")
    for name in READ:
        parser.add_argument(f"--{name}", required=True, nargs="*", type=Path)
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--templates", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def build(args: argparse.Namespace) -> str:
    """Give the text of the page."""
    bar = Bar(args.settings["alpha"], 0.0)  # no probe stands on this page
    tables = {
        items.parent.name: (pl.DataFrame(read_table(items)), pl.DataFrame(read_table(images)))
        for items, images in zip(args.items, args.images, strict=True)
    }
    found = read_behaviour(args.scores, args.distributions, args.answers, [])
    mine = [b for b in found if b.model == args.model]
    audit(mine, {name: items for name, (items, _) in tables.items()})
    paired = [b for b in mine if b.tasks("pair_accuracy")]
    if not paired:
        raise errors.UserError(
            f"--scores: {args.model} has no 'pair_accuracy' in {_listed(args.scores)}, expected "
            "scores of a dataset whose items come in pairs"
        )
    series = read_series(args.patterns)
    shown, comparisons = mmvp_page.compared(
        args.model, args.encoder, read_comparisons(args.correlations, series)
    )
    mine_too = [one for one in series if one.model == args.model and one not in shown]
    shown = [*mine_too, *shown]
    return mmvp_page.render(
        args.templates,
        bar,
        model=args.model,
        encoder=args.encoder,
        kind=next((one.kind for one in shown if one.model == args.model), ""),
        datasets=[mmvp_page.dataset_block(b, *tables[b.dataset], args.settings) for b in paired],
        findings=[{"dataset": b.dataset, "sentences": sentences(b, bar)} for b in paired],
        series=shown,
        patterns=pattern_table(shown),
        radar=mmvp_page.radar_picture(shown),
        comparisons=comparisons,
        inputs=provenance.inputs(path for name in READ for path in getattr(args, name)),
    )


def _listed(paths: list[Path]) -> str:
    return ", ".join(map(str, paths)) or "no table"


def main(argv: list[str]) -> None:
    """Write the page, unless it is larger than a page may be."""
    args = parse_args(argv)
    hint = "show fewer or smaller pictures (report: worst_pairs, gallery_px)"
    write_page(args.output, build(args), args.settings["megabytes"], hint)


if __name__ == "__main__":
    errors.run(main)
