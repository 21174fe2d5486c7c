"""Compare edits in batches with shared prefixes to hooks on full prompts, one item at a time.

Variants run in turn, so other load on the machine affects all equally. *Plain* is the usual script:
PyTorch hooks on full passes of the model, from the pixels on, one item at a time. *Alone* runs the
pipeline on one item at a time, as a full prompt whose image is encoded once. *Whole* does the same
in batches. *Shared* is the pipeline as it is used: batches, with cached prefixes where prompts
share them. All must give the same numbers. *Passes* is counted, not timed: the tokens that run
through blocks of the language model per answer, divided by those of one full prompt. Passes that
fetch a donor's states also count.

    PYTHONPATH=workflow OMP_NUM_THREADS=1 python bench/interventions.py --size 2m --pictures 16 \
        --questions 4 --rounds 3
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from answering import draw
from plain_hooks import Asked, PlainModel, erase, knock_out, patch
from random_llava import QUESTIONS, build_model

from eyechart.data.open_image import open_image
from eyechart.inference.prompts import PromptStyle
from eyechart.interventions.asked import CONTROL, DONOR, OWN, AskedItem, RegionOfTokens
from eyechart.interventions.batch import Batch, Scores
from eyechart.interventions.changes import IMAGE, LAST, QUESTION, Cut, Write, taken
from eyechart.interventions.reader import Reader
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec, defaults

CHOICES = ["a", "b", "c"]  # one token each
REFERENT = 6  # image tokens
ALL = "all of them"
WAYS = {"alone": (False, 1), "whole": (False, 64), "shared": (True, 64)}  # prefixes shared; batch
Edit = Callable[[Batch, str], Scores]


def turned(hidden: torch.Tensor, _: object) -> torch.Tensor:
    """Rotate tokens, in place of an eraser: any fixed map of single tokens has the same cost."""
    return hidden.flip(-1)


EDITS: dict[str, Edit] = {
    "patch image": lambda batch, a: batch.mixed(OWN, DONOR, a),
    "patch referent": lambda batch, a: batch.answers(OWN, [taken(a, "referent", DONOR)]),
    "patch last": lambda batch, a: batch.answers(OWN, [taken(a, LAST, DONOR)]),
    "knock out": lambda batch, a: batch.answers(OWN, [Cut([QUESTION, LAST], IMAGE, [int(a[3:])])]),
    "erase": lambda batch, a: batch.answers(OWN, [Write(a, IMAGE, turned)]),
}
PLAIN = {
    "patch image": patch(lambda shown: shown),
    "patch referent": patch(lambda shown: shown.nonzero()[:REFERENT, 0]),
    "patch last": patch(lambda shown: torch.tensor([-1])),
    "knock out": knock_out,
    "erase": erase(lambda states: states.flip(-1)),
}


def all_of_them(batch: Batch, address: str) -> Scores:
    """Run all edits in one run, so prefixes and donors' states are computed once."""
    made = [edit(batch, address) for edit in EDITS.values()]
    return [[score for scores in own for score in scores] for own in zip(*made, strict=True)]


def ask(adapter: LanguageAdapter, folder: Path, pictures: int, questions: int) -> list[AskedItem]:
    """Return items about each image; the donor is the next image."""
    names = [stimulus.name for stimulus in draw(folder, pictures)]
    flags = np.zeros(len(adapter.token_boxes((240, 160), "lm")), dtype=bool)
    flags[:REFERENT] = True
    region = RegionOfTokens(flags, flags, np.arange(len(flags))[:, None] * np.ones(2))
    regions = {whose: {"referent": region} for whose in (OWN, DONOR)}
    found = []
    for n, name in enumerate(names):
        other = (names[(n + 1) % pictures],)
        for q in range(questions):
            item = {"item_id": f"{name}_{q}", "prompt": QUESTIONS[(n + q) % 10], "choices": CHOICES}
            shown = {OWN: (name,), DONOR: other, CONTROL: other}
            found.append(AskedItem(item, shown, {DONOR: "other"}, regions))
    return found


def measure(
    reader: Reader, asked: Sequence[AskedItem], size: int, edit: Edit, addresses: Sequence[str]
) -> tuple[float, np.ndarray]:
    """Return the processor time of an edit at all addresses, and the answers.

    The time includes reading and encoding the images.
    """
    started, found = time.process_time(), []
    for start in range(0, len(asked), size):
        batch = Batch(reader, asked[start : start + size])
        found.append([edit(batch, address) for address in addresses])
    return time.process_time() - started, np.concatenate(found, axis=1)


def inputs_of(reader: Reader, asked: Sequence[AskedItem]) -> list[Asked]:
    """Return the prepared inputs of each item, which a script passes to the model."""
    found = []
    for one in asked:
        images = (Path(reader.paths[one.shown[whose][0]]) for whose in (OWN, DONOR))
        prepared = (reader.adapter.prepare_image(open_image(path)) for path in images)
        pixels = (image.inputs["pixel_values"] for image in prepared)
        script = reader.script(one, OWN)
        found.append((*pixels, torch.tensor([script.row.ids]), [ids[0] for ids in script.choices]))
    return found


def measure_plain(
    model: PlainModel, inputs: Sequence[Asked], edit: str, addresses: Sequence[str]
) -> tuple[float, np.ndarray]:
    """Return the processor time of an edit at all addresses by plain hooks, and the answers."""
    edits = list(PLAIN.values()) if edit == ALL else [PLAIN[edit]]
    started = time.process_time()
    with torch.inference_mode():
        found = [[run(model, asked, addresses) for run in edits] for asked in inputs]
        said = [
            [[float(own[e][a][c]) for e in range(len(edits)) for c in asked[-1]]
             for a in range(len(addresses))]
            for own, asked in zip(found, inputs, strict=True)
        ]  # fmt: skip
    return time.process_time() - started, np.array(said).swapaxes(0, 1)


def blocks_of(adapter: LanguageAdapter) -> list[str]:
    """Return the addresses of all blocks of the language model."""
    return [a for a in adapter.addresses() if a.startswith("lm.") and a != "lm.norm"]


@contextmanager
def counted(adapter: LanguageAdapter) -> Iterator[list[int]]:
    """Collect the tokens that each call of a block's attention reads, padding included."""
    found: list[int] = []

    def see(module: torch.nn.Module, inputs: object, named: dict[str, torch.Tensor]) -> None:
        found.append(named["hidden_states"].shape[:2].numel())

    with ExitStack() as stack:
        for address in blocks_of(adapter):
            attention = adapter.model.get_submodule(f"{adapter.module_path(address)}.self_attn")
            hook = attention.register_forward_pre_hook(see, with_kwargs=True)
            stack.callback(hook.remove)
        yield found


def compared(
    fresh: Callable[[str], Reader],
    plain: PlainModel,
    asked: Sequence[AskedItem],
    named: str,
    addresses: Sequence[str],
    rounds: int,
) -> str:
    """Return the answers per second of each variant, as cells; all must give the same answers."""
    edit = all_of_them if named == ALL else EDITS[named]
    reader = fresh("alone")
    reader.encode(sorted(reader.paths))
    adapter, inputs = reader.adapter, inputs_of(reader, asked)
    whole = np.mean([len(reader.script(one, OWN).row.ids) for one in asked])
    spent: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        said, passes = {}, {}
        seconds, said["plain"] = measure_plain(plain, inputs, named, addresses)
        spent.setdefault("plain", []).append(seconds)
        for way, (_, size) in WAYS.items():
            with counted(adapter) as tokens:
                seconds, said[way] = measure(fresh(way), asked, size, edit, addresses)
            spent[way].append(seconds)
            answers = said[way].size / len(CHOICES)
            passes[way] = sum(tokens) / whole / len(blocks_of(adapter)) / answers
        for way in ("whole", "shared", "plain"):
            np.testing.assert_allclose(said[way], said["alone"], rtol=0, atol=1e-4)
    speed = {way: answers / statistics.median(own) for way, own in spent.items()}
    cells = " | ".join(f"{speed[way]:.0f}" for way in ("plain", *WAYS))
    ratios = " | ".join(f"{speed['shared'] / speed[way]:.1f}" for way in ("plain", "alone"))
    return f"{cells} | {ratios} | {passes['alone']:.2f} | {passes['shared']:.2f}"


def main() -> None:
    """Print a row per edit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["2m", "2m-576", "60m"], default="2m")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=4, help="evenly from the first to the last")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_model(folder / "model", args.size, torch.float32)
        fields = {"family": "llava", "kind": "vlm", "checkpoint": "bench", "revision": None}
        fields |= {"vision_blocks": None, "lm_blocks": None, "licence": "none", "dtype": "float32"}
        adapter = load(Spec(**(defaults() | fields)), folder / "model", LoadOptions("cpu"))
        assert isinstance(adapter, LanguageAdapter)
        asked = ask(adapter, folder, args.pictures, args.questions)
        paths = {path.stem: str(path) for path in folder.glob("*.png")}
        style = PromptStyle("{question}", "text", 1)

        def fresh(way: str) -> Reader:
            return Reader(adapter, WAYS[way][0], style, "mean", paths)

        every = blocks_of(adapter)
        chosen = np.linspace(0, len(every) - 1, min(args.blocks, len(every))).round().astype(int)
        addresses = [every[n] for n in chosen]
        blocks = {a: adapter.model.get_submodule(adapter.module_path(a)) for a in every}
        plain = PlainModel(adapter.model, blocks, adapter.model.config.image_token_id)
        heads = ["edit", *(f"{way}, answers/s" for way in ("plain", *WAYS))]
        heads += ["shared / plain", "shared / alone", "passes alone", "passes shared"]
        print("| " + " | ".join(heads) + " |")
        print("|---" * len(heads) + "|")
        for named in (*EDITS, ALL):
            cells = compared(fresh, plain, asked, named, addresses, args.rounds)
            print(f"| {named} | {cells} |", flush=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\n{len(asked)} items at {len(addresses)} addresses; memory at most {peak:.0f} MB")


if __name__ == "__main__":
    main()
