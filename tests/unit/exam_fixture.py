"""Verdicts of four invented models, two with the same encoder, in the schema of real tables."""

from pathlib import Path

import numpy as np

from eyechart.core.randomness import generator
from eyechart.statistics.best_address import cross_fitted
from eyechart.tables.verdict import PATTERN, QUESTION, SIX, parts, write_verdict
from eyechart.verdict.evidence import Skill, StageEvidence
from eyechart.verdict.rules import VerdictThresholds
from eyechart.verdict.table import rows

SIX_TASKS = {"depth_order": 2, "semantic_correspondence": 4, "functional_correspondence": 4,
             "low_level_matching": 4, "odd_one_out": 3, "art_style": 2}  # fmt: skip
SCENES = {"color": 8, "shape": 3, "material": 2, "size": 2, "number": 11, "boolean": 2}
NINE = ["orientation", "presence", "state", "quantity", "position", "color", "structure", "text",
        "viewpoint"]  # fmt: skip
MODELS = {  # kind and encoder
    "tiny_clip": ("encoder", None),
    "tiny_dino": ("encoder", None),
    "tiny_llava_aligned": ("vlm", "tiny_clip"),
    "tiny_llava": ("vlm", "tiny_clip"),
}
NOTES = {"alpha": 0.01, "margin": 0.1, "blind": "blank"}


def _right(know: float, c: int, ease: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return answers of a model that knows a share of the items, easiest first, or guesses."""
    noisy = ease + 0.15 * rng.normal(size=len(ease))
    return ((noisy < know) | (rng.random(len(ease)) < 1 / c)).astype(float)


def _six(model: str, task: str, c: int, n: int) -> Skill:
    rng = generator("exam", "six", task)
    own = generator("exam", model, task)
    kind, _ = MODELS[model]
    ease, sees = rng.random(n), float(rng.choice([0.0, 0.55, 0.8], p=[0.2, 0.4, 0.4]))
    sees += 0.1 * (model == "tiny_dino")
    passes = {"tiny_llava_aligned": 0.3, "tiny_llava": 1.0}.get(model, 0) * (task != "art_style")
    groups = np.array([f"g{i // 2}" for i in range(n)])
    stages = {
        "alone": StageEvidence(_right(sees + 0.1, c, ease, own), "vision.3", "readout", 1 / c)
    }
    stages["encoder"] = StageEvidence(_right(sees, c, ease, own), "vision.3", "readout", 1 / c)
    changed = None
    if kind == "vlm":
        stages["connector"] = StageEvidence(
            _right(sees * passes, c, ease, own), "connector", "readout", 1 / c
        )
        lm = np.stack([_right(sees * passes * f, c, ease, own) for f in (0.8, 1, 0.95, 0.6, 0.5)])
        best, at = cross_fitted(lm, groups, own)
        stages["lm_best"] = StageEvidence(best, f"lm.{at[0]}", "readout", 1 / c)
        stages["lm_last"] = StageEvidence(lm[-1], "lm.norm", "readout", 1 / c)
    if model != "tiny_dino":
        says = sees * passes * (task in ("depth_order", "odd_one_out", "semantic_correspondence"))
        blind = _right(0.0, c, ease, own)
        sighted = (
            _right(says, c, ease, own) if says else np.where(own.random(n) < 0.1, 1 - blind, blind)
        )
        stages |= {"sighted": StageEvidence(sighted, "", "answer", 1 / c)}
        stages |= {"blind": StageEvidence(blind, "", "answer", 1 / c)}
        changed = (sighted != blind).astype(float)
    return Skill("drawn_six", task, SIX, "canvas", groups, 1 / c, stages, changed)


def _scene(model: str, task: str, c: int, n: int) -> Skill:
    rng = generator("exam", model, task)
    ease = rng.random(n)
    groups = np.array([f"s{i // 3}" for i in range(n)])
    prior = 0.3 if task in ("boolean", "size") else 0.05
    knows = 0.15 if "aligned" in model else float(rng.choice([0.3, 0.7]))
    stages = {}
    blind = _right(prior, c, ease, rng)
    if MODELS[model][0] == "vlm":
        asked = max(1 / c, float(blind.mean()))
        regions = {
            "encoder": ("vision.3", 0.9),
            "connector": ("connector", 0.85),
            "lm_first": ("lm.0", 0.8),
            "lm_best": ("lm.2", 0.8),
            "lm_last": ("lm.norm", 0.7),
        }
        said = {"position_first": ("lm.0", 0.1), "position_best": ("lm.2", max(knows, 0.6)),
                "position_last": ("lm.norm", max(knows, 0.5))}  # fmt: skip
        places = {"referent_center": regions if task not in ("number", "boolean") else {}}
        for span, found in (places | {"last": said}).items():
            for stage, (address, share) in found.items():
                floor = 1 / c if stage in ("encoder", "connector") else asked
                right = _right(share, c, ease, rng)
                stages[stage] = StageEvidence(right, f"{address}/{span}", "probe", floor)
    stages["sighted"] = StageEvidence(_right(max(knows, prior), c, ease, rng), "", "answer", 1 / c)
    stages["blind"] = StageEvidence(blind, "", "answer", 1 / c)
    changed = (stages["sighted"].right != blind).astype(float)
    return Skill("clevr", task, QUESTION, "", groups, 1 / c, stages, changed)


def _pattern(model: str, task: str, n: int) -> Skill:
    rng = generator("exam", model, task)
    groups = np.array([f"pair_{i // 2}" for i in range(n)])
    knows = float(rng.choice([0.0, 0.3, 0.9]))
    sighted = StageEvidence(_right(knows, 2, rng.random(n), rng), "", "answer", 0.5)
    blind = StageEvidence(_right(0.0, 2, rng.random(n), rng), "", "answer", 0.5)
    own = generator("exam", "tiny_clip", task)
    seen = _right(float(own.choice([0.0, 0.8])), 2, own.random(n), own)
    eye = StageEvidence(seen, "tiny_clip on mmvp_vlm", "answer", 0.5, groups)
    encoder = eye if MODELS[model][0] == "vlm" else sighted
    stages = {"encoder": encoder, "sighted": sighted, "blind": blind}
    dataset = "mmvp" if MODELS[model][0] == "vlm" else "mmvp_vlm"
    return Skill(dataset, task, PATTERN, "", groups, 0.5, stages)


def skills_of(model: str, n: int) -> list[Skill]:
    """Return a model's six tasks; if it reads text, also questions and patterns."""
    found = [_six(model, task, c, n) for task, c in SIX_TASKS.items()]
    if model != "tiny_dino":
        found += [_scene(model, task, c, 240) for task, c in SCENES.items()]
        found += [_pattern(model, task, 30) for task in NINE]
    return found


def write_verdicts(root: Path, n: int = 300) -> list[Path]:
    """Write a verdict per model."""
    paths = []
    for model, (kind, contains) in MODELS.items():
        tables = rows(
            skills_of(model, n), model, kind, contains, VerdictThresholds(alpha=0.01, margin=0.1)
        )
        paths.append(root / f"results/verdict/{model}.parquet")
        write_verdict(parts(paths[-1]), tables, NOTES)
    return paths
