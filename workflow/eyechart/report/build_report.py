"""Build the report: one page that holds everything and needs neither network nor server.

Reads:  tables, cards, curves, manifests and receipts as given, benchmarks <dir>/<rule>/….jsonl, and
        {page,behaviour,answers,patterns}.html.j2, style.css, page.js of --templates
Writes: --output

    python -m eyechart.report.build_report --settings "$SETTINGS" \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --probes results/probes/tiny_clip/clevr/objects.parquet \
        --predictions results/probes/tiny_clip/clevr/objects.predictions.parquet \
        --cards results/models/tiny_clip/card.json \
        --curves results/training/contrastive/curve.parquet \
        --manifests results/activations/tiny_clip/clevr/image/manifest.json \
        --receipts data/raw/clevr/acquired.json \
        --scores results/scores/tiny_llava/clevr.parquet \
        --distributions results/scores/tiny_llava/clevr.distributions.parquet \
        --answers results/answers/tiny_llava/clevr/sighted.parquet \
        --retrieval results/retrieval/tiny_clip/coco.parquet \
        --patterns results/mmvp/patterns.parquet \
        --correlations results/mmvp/correlations.parquet \
        --pairs results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet \
        --verdicts results/verdict/tiny_llava.parquet \
        --readouts results/readouts/tiny_llava/blink.parquet \
        --heads results/readouts/tiny_llava/depth_heads.json \
        --cues results/concepts/tiny_llava/stroop/cues.parquet \
        --separation results/concepts/tiny_llava/stroop/separation.parquet \
        --projection results/concepts/tiny_llava/stroop/projection.parquet \
        --looks results/attention/tiny_llava/blink/summary.parquet \
        --regions results/datasets/blink/regions.parquet \
        --benchmarks benchmarks \
        --templates workflow/report --output results/report/index.html
"""

import argparse
import json
from pathlib import Path
from typing import Any

import polars as pl

from eyechart import errors
from eyechart.probing.splits import RULES
from eyechart.report import attention_page, concepts_page, exam_card, provenance, readouts_page
from eyechart.report.behaviour import Behaviour, audit, read_behaviour
from eyechart.report.behaviour_page import section
from eyechart.report.chart_training import read_curves, training
from eyechart.report.concepts import read_concepts
from eyechart.report.gallery import gallery
from eyechart.report.mined import read_mined
from eyechart.report.page import exams, render
from eyechart.report.patterns import overview
from eyechart.report.readouts import read_readouts
from eyechart.report.results import TaskResult, read_results
from eyechart.report.said import join_findings, say
from eyechart.report.summary import Bar, summarise
from eyechart.report.templates import write_page
from eyechart.tables.files import read_json
from eyechart.tables.parquet import read_table
from eyechart.tables.receipt import read_receipt

Tables = dict[str, tuple[pl.DataFrame, pl.DataFrame]]
READ = (
    *("items", "images", "probes", "predictions", "cards", "curves", "manifests", "receipts"),
    *("scores", "distributions", "answers", "retrieval", "patterns", "correlations", "pairs"),
    *("verdicts", "readouts", "heads", "cues", "separation", "projection", "looks", "regions"),
)


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", required=True, type=json.loads)
    for name in READ:  # a list may be empty: a run without own training has no curves
        parser.add_argument(f"--{name}", required=True, nargs="*", type=Path)
    parser.add_argument("--benchmarks", required=True, type=Path)
    parser.add_argument("--templates", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def read_tables(items: list[Path], images: list[Path]) -> Tables:
    """Give the items and images of each dataset, named by its tables' folder."""
    found = {}
    for one, other in zip(items, images, strict=True):
        if other.parent.name != one.parent.name:
            raise errors.UserError(f"--images: {other} does not stand beside {one}")
        found[one.parent.name] = pl.DataFrame(read_table(one)), pl.DataFrame(read_table(other))
    return found


def describe_dataset(
    name: str, tables: Tables, asked: set[tuple[str, str]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Give name, counts, examined tasks (as scope and task) and gallery of a dataset."""
    items, images = tables[name]
    column, train, test = RULES[settings["split"]]
    per_task = items.group_by("task").len("questions").sort("task").to_dicts()
    return {
        "name": name,
        "questions": len(items),
        "pictures": len(images),
        "train": images.filter(pl.col(column) == train).height,
        "test": images.filter(pl.col(column) == test).height,
        "item_tasks": [row for row in per_task if ("item", row["task"]) in asked],
        "image_tasks": sorted(task for scope, task in asked if scope == "image"),
        "gallery": gallery(name, items, images, settings),
    }


def asked(
    name: str, results: list[TaskResult], behaviours: list[Behaviour]
) -> set[tuple[str, str]]:
    """Give scope and task of all that probes and models were asked about a dataset."""
    probed = {(r.scope, r.task) for r in results if r.dataset == name}
    return probed | {("item", t) for b in behaviours if b.dataset == name for t in b.scores["task"]}


def beneath(args: argparse.Namespace) -> dict[str, Any]:
    """Give the sections about what lies beneath answers: readouts, concepts, attention."""
    settings = args.settings
    tables = [*args.cues, *args.separation, *args.projection]
    regions = {path.parent.name: path for path in args.regions}
    sources = {
        path.parent.name: attention_page.Source(path, images, regions.get(path.parent.name))
        for path, images in zip(args.items, args.images, strict=True)
    }
    shown = {**settings, "pictures": settings["maps"], "layers": settings["map_layers"]}
    return {
        "readouts": readouts_page.section(read_readouts(args.readouts, args.scores), args.heads),
        "concepts": concepts_page.section(read_concepts(tables), settings["alpha"]),
        "attention": attention_page.section(args.looks, sources, shown),
    }


def build(args: argparse.Namespace) -> str:
    """Give the text of the page."""
    settings = args.settings
    bar = Bar(settings["alpha"], settings["selectivity"])
    results = read_results(args.probes, args.predictions)
    tables = read_tables(args.items, args.images)
    behaviours = read_behaviour(args.scores, args.distributions, args.answers, args.retrieval)
    audit(behaviours, {name: items for name, (items, _) in tables.items()})
    curves = read_curves(args.curves, settings["curve_points"])
    return render(
        args.templates,
        bar,
        settings=settings,
        datasets=[
            describe_dataset(name, tables, asked(name, results, behaviours), settings)
            for name in tables
        ],
        cards=[read_json(path) for path in args.cards],
        receipts=[read_receipt(path) for path in args.receipts],
        summaries=join_findings(summarise(results, bar), say(behaviours, bar)),
        exams=exams(results, bar),
        behaviour=section(behaviours, tables, settings),
        patterns=overview(args.patterns, args.correlations),
        mined=[read_mined(path) for path in args.pairs],
        exam_card=exam_card.card(args.verdicts),
        **beneath(args),
        training=training(curves) if curves else None,
        stages=list(dict.fromkeys(row["stage"] for row in curves)),
        activations=provenance.activations(args.manifests),
        benchmarks=provenance.benchmarks(args.benchmarks),
        machine=provenance.machine(),
        versions=provenance.versions(),
        inputs=provenance.inputs(path for name in READ for path in getattr(args, name)),
    )


def main(argv: list[str]) -> None:
    """Write the page, unless it is larger than a page may be."""
    args = parse_args(argv)
    hint = "show fewer or smaller pictures (report: gallery, differing, gallery_px)"
    write_page(args.output, build(args), args.settings["megabytes"], hint)


if __name__ == "__main__":
    errors.run(main)
