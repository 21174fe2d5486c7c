"""Draw the exam cards, each as SVG, PNG and the CSV of what it shows.

Reads:  results/verdict/<model>.parquet of all models
Writes: exam_<model>.{svg,png,csv} of each model that has a verdict and comparison.{svg,png,csv}
        beside --output, then --output, a manifest with path, bytes and sha256 of each

    python -m eyechart.report.draw_exam \
        --verdicts results/verdict/tiny_llava_aligned.parquet results/verdict/tiny_llava.parquet \
        --settings '{"png_scale": 2}' --output results/report/figures/verdict/figures.json
"""

import argparse
import json
from pathlib import Path

from eyechart import errors
from eyechart.report.chart_exam import comparison, exam, nothing
from eyechart.report.chart_style import draw
from eyechart.report.exam_card import read_exams
from eyechart.tables.files import describe, write_json


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--verdicts", required=True, nargs="+", type=Path)
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw all cards and their comparison, then write the manifest."""
    args = parse_args(argv)
    exams = read_exams(args.verdicts)
    charts = {f"exam_{path.stem}": nothing(path.stem) for path in args.verdicts}
    charts |= {f"exam_{one.model}": exam(one) for one in exams}
    charts["comparison"] = comparison(exams) if exams else nothing("any model")
    folder, scale = args.output.parent, args.settings["png_scale"]
    paths = [p for name, chart in charts.items() for p in draw(folder / name, chart, scale)]
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(args.output, {"models": [one.model for one in exams], "files": files})


if __name__ == "__main__":
    errors.run(main)
