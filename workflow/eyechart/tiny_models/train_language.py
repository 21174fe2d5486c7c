"""Stage 2, language: a LLaMA learns from text about imagined scenes.

For some scenes, a caption precedes the questions, so the model learns to answer from the context.
From the others, it learns which answers are likely. The imagined world is biased: with a given
probability, an object has the most common colour for its shape, and answers are not balanced. This
bias is the prior that the VLM starts with. A random number of positions after the caption stays
free, because the image that later replaces the caption is longer than a sentence.

    python -m eyechart.tiny_models.train_language --receipt data/raw/clevr_pretrain/acquired.json
        --recipe JSON --seed 7 --device auto --output results/training/language/model/ready.json
        --curve results/training/language/curve.parquet
"""

from typing import Any

import torch

from eyechart.core import randomness
from eyechart.core.step import command
from eyechart.rendering.language.questions import QuestionSampler, caption
from eyechart.rendering.scene.clevr import draw_plan
from eyechart.tiny_models.answers import accuracies, answer_logits, answer_loss, caption_with_gap
from eyechart.tiny_models.architectures import build_language_model, build_tokenizer
from eyechart.tiny_models.images import load_images, task_of
from eyechart.tiny_models.packing import Packer, Question
from eyechart.training import loop, step_helpers

STAGE = "language"
STEP = "eyechart.tiny_models.train_language"


Scene = dict[str, Any]


def imagine(
    settings: dict[str, Any], studio: dict[str, Any], seed: int
) -> list[tuple[Scene, list[Question]]]:
    """Return ``settings['scenes']`` scenes of the biased world, with questions and answers."""
    sampler = QuestionSampler(studio["families"], balance=False)
    corpus = []
    for index in range(settings["scenes"]):
        rng = randomness.dice("imagine", seed, index)
        scene = draw_plan(randomness.generator("imagine", seed, index), studio)
        for obj in scene["objects"]:
            if rng.random() < settings["favourite_share"]:
                obj["color"] = settings["favourites"][obj["shape"]]
        drawn = sampler.ask(rng, scene, studio["questions"])
        questions = [
            {
                "question": q["question"],
                "answer": q["answer"],
                "task": task_of(q["program"][-1]["function"]),
            }
            for q in drawn
        ]
        corpus.append((scene, questions))
    return corpus


@command
def main(args: step_helpers.Training) -> None:
    """Train the tokenizer and the language model from scratch."""
    recipe, settings = args.recipe, args.recipe[STAGE]
    step_helpers.make_deterministic(settings["threads"])
    corpus = imagine(settings, recipe["text_scenes"], args.seed)
    texts = [f"Q: {q['question']} A: {q['answer']}" for _, row in corpus for q in row]
    texts += [caption(scene, randomness.dice("corpus", i)) for i, (scene, _) in enumerate(corpus)]
    tokenizer = build_tokenizer(texts, recipe["vocabulary"], image=True)
    model = build_language_model(recipe["architecture"], tokenizer, args.seed)
    model.to(args.place).train()  # type: ignore[arg-type]
    packer = Packer(tokenizer, image_tokens=0)
    held_out = load_images(args.receipt.parent, "val", recipe["held_out"])

    def loss(generator: torch.Generator) -> torch.Tensor:
        picks = torch.randperm(len(corpus), generator=generator)[: settings["batch"]]
        rng = randomness.dice("told", int(generator.initial_seed()))
        rows = [corpus[i] for i in picks.tolist()]
        contexts = [
            caption_with_gap(scene, rng, settings["gap"])
            if rng.random() < settings["told_share"]
            else ("", 0)
            for scene, _ in rows
        ]
        packed = packer.pack([questions for _, questions in rows], contexts)
        return answer_loss(answer_logits(model, packed, None), packed)

    curve = loop.fit(
        dict(model.named_parameters()),
        loss,
        lambda: {
            name: value
            for condition in ("told", "blank")
            for name, value in accuracies(model, packer, held_out, condition).items()
        },
        settings,
        step_helpers.identity(args, STAGE, STEP),
        step_helpers.checkpoint_path(args),
    )
    step_helpers.finish(args, STAGE, curve, [(model, {}), (tokenizer, {})])


if __name__ == "__main__":
    main()
