"""Responses of two invented models to two invented datasets, in the schemas of the real tables.

Scores are computed from the answers, so the tables agree. ``tiny_llava`` uses the image, except for
counting; ``tiny_clip`` cannot answer without an image.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from eyechart.core.randomness import generator
from eyechart.plan.config.report import DRAWN
from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.statistics.testing import benjamini_hochberg, mcnemar_exact
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.responses import ANSWERS
from eyechart.tables.scores import ALL, CORRELATIONS, DISTRIBUTIONS, PATTERNS, SCORES

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
MODELS = {"tiny_llava": "vlm", "tiny_clip": "encoder"}
COLORS = ["gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow"]
NINE = ["orientation", "presence", "state", "quantity", "position", "color", "structure"]
NINE += ["text", "viewpoint"]
SETTINGS = {
    **{"alpha": 0.01, "png_scale": 1, "megabytes": 10, "gallery_px": 160, "seed": 0},
    **{"differing": 4, "worst_pairs": 3, "figures": DRAWN},
}
Row = dict[str, Any]


def write_behaviour(root: Path, pictures: int = 24, pairs: int = 3) -> dict[str, list[str]]:
    """Write all tables; return the flags of the report's steps, with paths relative to ``root``."""
    items = {"coco": coco_items(pictures), "mmvp": mmvp_items(pairs)}
    for dataset, rows in items.items():
        images = [draw_picture(root, dataset, i) for r in rows for i in r["images"]]
        unique = list({row["image_id"]: row for row in images}.values())
        folder = root / "results/datasets" / dataset
        write_table(folder / "items.parquet", pa.Table.from_pylist(rows, ITEMS))
        write_table(folder / "images.parquet", pa.Table.from_pylist(unique, IMAGES))
        for model in MODELS:
            write_answers(root, model, dataset, rows)
    write_comparison(root)
    named = {
        "items": "results/datasets/*/items.parquet",
        "images": "results/datasets/*/images.parquet",
        "scores": "results/behavior/scores/*/*[a-z].parquet",
        "distributions": "results/behavior/scores/*/*.distributions.parquet",
        "answers": "results/behavior/responses/*/*/*.parquet",
        "retrieval": "results/behavior/retrieval/*/*.parquet",
        "patterns": "results/behavior/patterns/patterns.parquet",
        "correlations": "results/behavior/patterns/correlations.parquet",
    }
    found = {k: [str(p.relative_to(root)) for p in root.glob(v)] for k, v in named.items()}
    found["scores"] = [p for p in found["scores"] if ".distributions." not in p]
    return {k: sorted(v) for k, v in found.items()} | {"pairs": []}


def item(dataset: str, number: int, task: str, choices: list[str], answer: str) -> Row:
    """Return an item with one image and its own group."""
    group = f"group_{number:04d}"
    row = dict.fromkeys(ITEMS.names) | {"item_id": f"{dataset}_{number:04d}_{task}"}
    row |= {"split": "val", "group_split": "test", "group": group, "images": [f"val_{number:04d}"]}
    row |= {"prompt": f"What about {task} here? {EVIL}", "choices": choices, "answer": answer}
    return row | {"task": task, "type": task, "meta": "{}"}


def coco_items(pictures: int) -> list[Row]:
    """Return a question about presence, one about counting and a caption for each image."""
    rows = []
    draw = generator("behaviour items")
    for i in range(pictures):
        rows.append(item("coco", i, "presence", ["yes", "no"], ["yes", "no"][i % 2]))
        counts = [str(c) for c in range(11)]
        rows.append(item("coco", i, "counting", counts, str(int(draw.geometric(0.5)))))
        open_item = item("coco", i, "caption", [], f"a {COLORS[i % 8]} thing {EVIL}")
        rows.append(open_item | {"meta": json.dumps({"references": [open_item["answer"]]})})
    return sorted(rows, key=lambda r: r["item_id"])


def mmvp_items(pairs: int) -> list[Row]:
    """Return ``pairs`` pairs of each of the nine patterns; one label is marked as corrected."""
    rows = []
    for k, pattern in enumerate(p for p in NINE for _ in range(pairs)):
        for side in range(2):
            words = [f"{pattern} one {EVIL}", f"{pattern} two"]
            row = item("mmvp", 2 * k + side + 1, pattern, words, words[(k + side) % 2])
            row |= {"pair": f"pair_{k + 1:03d}", "group": f"pair_{k + 1:03d}"}
            rows.append(
                row | {"meta": json.dumps({"corrections": True, "corrected": k == side == 0})}
            )
    return sorted(rows, key=lambda r: r["item_id"])


def draw_picture(root: Path, dataset: str, name: str) -> Row:
    """Draw an image of a few discs; return its row of images.parquet."""
    path = f"data/raw/{dataset}/{name}.png"
    draw = generator("behaviour picture", dataset, name)
    picture = Image.new("RGB", (192, 144), (150, 150, 148))
    pen = ImageDraw.Draw(picture)
    for x in range(3):
        left, top, name_of = 16 + 56 * x, int(draw.integers(20, 80)), COLORS[draw.integers(8)]
        pen.ellipse([left, top, left + 44, top + 44], fill=name_of, outline="black")
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    picture.save(root / path)
    row = dict.fromkeys(IMAGES.names) | {"image_id": name, "split": "val", "group_split": "test"}
    return row | {"path": path, "group": name, "sha256": "0" * 64, "width": 192, "height": 144}


def answers_of(model: str, dataset: str, condition: str, items: list[Row]) -> list[Row]:
    """Return a model's invented answers, for MMVP in both orders of the options."""
    draw = generator("behaviour answers", model, dataset, condition)
    lean = generator("behaviour prior", model, dataset).normal(0, 1.2, 16)
    rows = []
    for one in items:
        for order in range(2 if dataset == "mmvp" else 1):
            row = dict.fromkeys(ANSWERS.names) | {"model": model, "dataset": dataset}
            row |= {"condition": condition, "item_id": one["item_id"], "order": order}
            row |= {"shown": one["images"] if condition in ("sighted", "swapped") else []}
            row |= {"prompt": one["prompt"], "log_probability": [], "tokens": []}
            if one["choices"]:
                c = len(one["choices"])
                score = lean[:c] + draw.normal(0, 0.8, c)
                known = condition == "sighted" and one["task"] not in ("counting", "text")
                score[one["choices"].index(one["answer"])] += 3.5 * known
                best = one["choices"][int(np.argmax(score))]
                row |= {"log_probability": (score - 2).tolist(), "tokens": [1] * c}
                row |= {"predicted": best, "scoring": "mean"}
            else:
                row |= {"text": f"a thing as {condition} tells {EVIL}"}
            rows.append(row)
    return rows


def write_answers(root: Path, model: str, dataset: str, items: list[Row]) -> None:
    """Write the answers of all conditions, their scores, distributions and recalls."""
    said: dict[str, list[Row]] = {}
    for condition in CONDITIONS:
        possible = condition != "no_image" or model == "tiny_llava"
        rows = answers_of(model, dataset, condition, items) if possible else []
        path = root / f"results/behavior/responses/{model}/{dataset}/{condition}.parquet"
        write_table(path, pa.Table.from_pylist(rows, ANSWERS))
        if rows:
            said[condition] = rows
    head = {"model": model, "dataset": dataset}
    scores = [row | head for row in scores_of(items, said)]
    correct(scores)
    folder = root / "results/behavior/scores" / model
    write_table(folder / f"{dataset}.parquet", pa.Table.from_pylist(scores, SCORES))
    shares = [head | row for row in distributions_of(items, said)]
    table = pa.Table.from_pylist(shares, DISTRIBUTIONS)
    write_table(folder / f"{dataset}.distributions.parquet", table)
    if (model, dataset) == ("tiny_clip", "coco"):
        recalls = [
            score("sighted", "caption", f"recall_{k}_{way}", 0.1 * k, 24, 0.04 * k) | head
            for way in ("text", "image")
            for k in (1, 5, 10)
        ]
        path = root / f"results/behavior/retrieval/{model}/{dataset}.parquet"
        write_table(path, pa.Table.from_pylist(recalls, SCORES))


def score(
    condition: str, task: str, metric: str, value: float, n: int, chance: float | None = None
) -> Row:
    """Return a scores row with an invented interval."""
    row = dict.fromkeys(SCORES.names) | {"condition": condition, "task": task, "metric": metric}
    row |= {"value": float(value), "ci_low": max(0.0, value - 0.1), "chance": chance}
    return row | {"ci_high": min(1.0, value + 0.1), "n": n, "groups": n}


def scores_of(items: list[Row], said: dict[str, list[Row]]) -> list[Row]:
    """Return the scores of every condition and task."""
    rows = []
    for task in [*sorted({i["task"] for i in items}), ALL]:
        asked = [i for i in items if task in (i["task"], ALL) and i["choices"]]
        if not asked:
            rows += [score(c, task, m, v, 24) for c in said for m, v in (("bleu_4", 0.21),)]
            continue
        groups = np.array([i["group"] for i in asked])
        right: dict[str, np.ndarray] = {}
        first: dict[str, list[str]] = {}
        chance = float(np.mean([1 / len(i["choices"]) for i in asked]))
        for condition, answers in said.items():
            by_item: dict[str, list[str]] = {}
            for a in answers:
                by_item.setdefault(a["item_id"], []).append(a["predicted"])
            first[condition] = [by_item[i["item_id"]][0] for i in asked]
            right[condition] = np.array(
                [np.mean([p == i["answer"] for p in by_item[i["item_id"]]]) for i in asked]
            )
            rows += _accuracy(condition, task, right, groups, chance)
            truth = [i["answer"] for i in asked]
            most = max(truth.count(t) for t in truth) / len(truth)
            rows.append(score(condition, task, "majority", most, len(truth), chance))
            for metric, other in (("tv_truth", truth), ("tv_blank", first.get("blank", truth))):
                rows.append(score(condition, task, metric, tv(first[condition], other), len(truth)))
            differs = np.mean(np.array(first[condition]) != np.array(first["sighted"]))
            changed = score(condition, task, "changed", differs, len(truth))
            rows += [changed | {"against": "sighted"}] if condition != "sighted" else []
            moved = score(condition, task, "changed_by_sum", 0.25, len(truth))
            rows += [moved, score(condition, task, "accuracy_sum", 0.4, len(truth), chance)]
            if asked[0]["pair"]:
                rows.append(_pairs(condition, task, right[condition], groups))
                place = score(condition, task, "place_bias", 0.12, len(truth))
                rows += [place, place | {"metric": "order_consistency", "value": 0.8}]
    return rows


def _accuracy(
    condition: str, task: str, right: dict[str, np.ndarray], groups: np.ndarray, chance: float
) -> list[Row]:
    mine, sighted = right[condition], right["sighted"]
    row = score(condition, task, "accuracy", float(mine.mean()), len(mine), chance)
    ends = bootstrap_interval(mine[None], groups, 200, generator("behaviour", condition, task))[0]
    row |= {"ci_low": ends[0], "ci_high": ends[1], "groups": len(set(groups))}
    if condition != "sighted":
        row |= {"against": "sighted", "difference": float(mine.mean() - sighted.mean())}
        row["p"] = mcnemar_exact(sighted, mine, groups)
    return [row]


def _pairs(condition: str, task: str, right: np.ndarray, groups: np.ndarray) -> Row:
    both = [right[groups == g].min() for g in dict.fromkeys(groups)]
    return score(condition, task, "pair_accuracy", float(np.mean(both)), len(both), 0.25)


def correct(rows: list[Row]) -> None:
    """Set q in all rows with a p."""
    tested = [r for r in rows if r["p"] is not None]
    for row, q in zip(tested, benjamini_hochberg(np.array([r["p"] for r in tested])), strict=True):
        row["q"] = float(q)


def tv(first: list[str], second: list[str]) -> float:
    """Return the total variation distance between two lists' distributions."""
    a, b = (np.array([x.count(v) / len(x) for v in {*first, *second}]) for x in (first, second))
    return float(np.abs(a - b).sum() / 2)


def distributions_of(items: list[Row], said: dict[str, list[Row]]) -> list[Row]:
    """Return the distributions of true and predicted answers and positions."""
    rows = []
    for condition, answers in said.items():
        for task in [*sorted({i["task"] for i in items}), ALL]:
            asked = {i["item_id"]: i for i in items if task in (i["task"], ALL) and i["choices"]}
            mine = [a for a in answers if a["item_id"] in asked]
            pairs = {
                "choice": [(asked[a["item_id"]]["answer"], a["predicted"]) for a in mine],
                "place": [
                    tuple(_place(asked[a["item_id"]], a["order"], w) for w in words)
                    for a in mine
                    for words in [(asked[a["item_id"]]["answer"], a["predicted"])]
                ],
            }
            for kind, both in pairs.items():
                for answer in sorted({x for pair in both for x in pair}):
                    shares = [np.mean([p[j] == answer for p in both]) for j in range(2)]
                    row = {"condition": condition, "task": task, "kind": kind, "answer": answer}
                    row |= {"truth": shares[0], "predicted": shares[1], "n": len(asked)}
                    rows.append(row)
    return rows


def _place(one: Row, order: int, word: str) -> str:
    c = len(one["choices"])
    return str((one["choices"].index(word) - order) % c + 1)


def write_comparison(root: Path) -> None:
    """Write three models' pair accuracies per pattern, and their correlations."""
    rows = []
    for m, (model, kind) in enumerate({**MODELS, "big_clip": "encoder"}.items()):
        draw = generator("behaviour patterns", model)
        for i, pattern in enumerate([*NINE, ALL]):
            value = min(15, max(0, round(3 + i + m + 2 * draw.normal()))) / 15
            row = {"model": model, "kind": kind, "pattern": pattern, "accuracy": value}
            row |= {"dataset": "mmvp" if kind == "vlm" else "mmvp_vlm", "chance": 0.25}
            row |= {"ci_low": max(0, value - 0.2), "ci_high": min(1, value + 0.2), "pairs": 15}
            rows.append(row)
    folder = root / "results/behavior/patterns"
    write_table(folder / "patterns.parquet", pa.Table.from_pylist(rows, PATTERNS))
    found = []
    for encoder, r in (("tiny_clip", 0.62), ("big_clip", 0.31)):
        for kind in ("pearson", "spearman"):
            row = {"encoder": encoder, "vlm": "tiny_llava", "encoder_dataset": "mmvp_vlm"}
            row |= {"vlm_dataset": "mmvp", "kind": kind, "r": r, "ci_low": r - 0.5}
            found.append(row | {"ci_high": min(1, r + 0.3), "p": 0.08, "q": 0.16, "n": 9})
    table = pa.Table.from_pylist(found, CORRELATIONS)
    write_table(folder / "correlations.parquet", table)
