"""Compare the time to score four choices after a shared prefix with passes on prompt and choice.

Variants run in turn, so other load on the machine affects all equally. All go from image files to
log-probabilities. *One* is the class's own forward pass on the prompt and one choice, with inputs
from its own processor; *four* does the same for each of four choices; *joint* and *shared* are the
workflow's ways to score all four.

    PYTHONPATH=workflow OMP_NUM_THREADS=1 python bench/answering.py --size 60m --pictures 16 \
        --questions 1 --rounds 5

With --checkpoint, it instead times one question with two choices about each image:

    … --checkpoint data/weights/tiny_llava --spec config/models/tiny_llava.yaml --pictures 1000
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from random_llava import QUESTIONS, SIZES, build_model

from eyechart.behavior.ask_vlm import PromptAnswerer, ScoringRequest
from eyechart.behavior.conditions import Stimulus
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.workload import chunks
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec, defaults, read_spec

BATCH = 16
CHOICES = ("a large red cube", "a small blue sphere", "the metal cylinder", "none of the two")
TWO = ("on the left", "on the right")


def draw(folder: Path, pictures: int) -> list[Stimulus]:
    """Save images of 240 x 160 pixels."""
    rng = np.random.default_rng(0)
    found = []
    for n in range(pictures):
        coarse = Image.fromarray(rng.integers(0, 255, (16, 24, 3), dtype=np.uint8))
        path = folder / f"{n:05}.png"
        coarse.resize((240, 160), Image.Resampling.BICUBIC).save(path)
        found.append(Stimulus(path.stem, path=str(path)))
    return found


def plan(
    stimuli: Sequence[Stimulus], questions: int, choices: tuple[str, ...]
) -> list[ScoringRequest]:
    """Plan ``questions`` questions about each image."""
    pairs = [(s, QUESTIONS[(n + q) % 10]) for n, s in enumerate(stimuli) for q in range(questions)]
    return [
        ScoringRequest(n, (s,), question, choices, False) for n, (s, question) in enumerate(pairs)
    ]


class Bench:
    """A random LLaVA, images, and the variants."""

    def __init__(self, adapter: Any, asked: Sequence[ScoringRequest]) -> None:
        self.adapter, self.asked = adapter, asked

    def passes(self, choices: int) -> list[list[float]]:
        """Score the first ``choices`` choices, each with the class's own full forward pass."""
        found: list[list[float]] = [[] for _ in self.asked]
        every = [(one, c) for one in self.asked for c in CHOICES[:choices]]
        for few in chunks(every, BATCH):
            images = [one.stimuli[0].draw() for one, _ in few]
            texts = [f"{self.adapter.turn(one.prompt, 1)} {choice}" for one, choice in few]
            inputs = self.adapter.processor(
                images=images, text=texts, padding=True, padding_side="right", return_tensors="pt"
            ).to(self.adapter.device, self.adapter.dtype)
            with torch.inference_mode():
                scores = self.adapter.model(**inputs, use_cache=False).logits
            rows = [self.adapter.plain_ids(f" {choice}") for _, choice in few]
            lengths = inputs["attention_mask"].sum(dim=1).tolist()
            for b, ((one, _), ids) in enumerate(zip(few, rows, strict=True)):
                last = scores[b, lengths[b] - len(ids) - 1 : lengths[b] - 1].log_softmax(dim=1)
                found[one.number].append(float(last[range(len(ids)), ids].sum()))
        return found

    def ours(self, shares: bool) -> list[list[float]]:
        """Score all choices as the workflow does."""
        reader = PromptAnswerer(self.adapter, shares, 1, AdaptiveBatchSize(BATCH))
        said = {n: s.log_probability for done in reader.run(self.asked) for n, s in done}
        return [said[n] for n in range(len(self.asked))]


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the wall time and the processor time of one call."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - own


def compare(args: argparse.Namespace, folder: Path) -> None:
    """Print the times of all variants and their ratios to one pass."""
    if not (folder / "model").exists():
        build_model(folder / "model", args.size, getattr(torch, args.dtype))
    fields = {"family": "llava", "kind": "vlm", "checkpoint": "bench", "revision": None}
    fields |= {"vision_blocks": None, "lm_blocks": None, "licence": "none", "dtype": args.dtype}
    adapter = load(Spec(**(defaults() | fields)), folder / "model", LoadOptions(args.device))
    bench = Bench(adapter, plan(draw(folder, args.pictures), args.questions, CHOICES))
    tolerance = 1e-3 if args.dtype == "float32" else 0.5
    np.testing.assert_allclose(bench.ours(True), bench.passes(4), rtol=0, atol=tolerance)
    variants = {
        "one pass, one choice": lambda: bench.passes(1),
        "four passes": lambda: bench.passes(4),
        "joint, four choices": lambda: bench.ours(False),
        "shared, four choices": lambda: bench.ours(True),
    }
    times = [[seconds(work) for work in variants.values()] for _ in range(args.rounds)]
    parameters = sum(p.numel() for p in adapter.model.parameters()) / 1e6
    tokens = (SIZES[args.size][2] // SIZES[args.size][3]) ** 2
    print(f"{parameters:.1f}M parameters, {tokens} image tokens,", end=" ")
    print(f"{args.pictures} x {args.questions}, batch {BATCH}, medians of {args.rounds} rounds\n")
    print("| variant | wall s | processor s | wall, one pass = 1 | processor, one pass = 1 |")
    print("|---|---|---|---|---|")
    median = [[statistics.median(r[v][k] for r in times) for k in (0, 1)] for v in range(4)]
    for name, (wall, own) in zip(variants, median, strict=True):
        ratios = f"{wall / median[0][0]:.2f} | {own / median[0][1]:.2f}"
        print(f"| {name} | {wall:.2f} | {own:.2f} | {ratios} |")


def main() -> None:
    """Compare the variants, or time a checkpoint."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=list(SIZES), default="60m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--questions", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the model is, or will be")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--spec", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if args.checkpoint is None:
            compare(args, args.folder or Path(name))
            return
        adapter = load(read_spec(args.spec), args.checkpoint, LoadOptions("cpu"))
        bench = Bench(adapter, plan(draw(Path(name), args.pictures), 1, TWO))
        wall, own = seconds(lambda: bench.ours(True))
        print(f"{args.pictures} pictures, two choices: {wall:.1f} s, processor {own:.1f} s")


if __name__ == "__main__":
    main()
