"""Stage 2, language on text alone: a LLaMA learns questions and answers of scenes it never sees.

Its scenes are plans that nobody draws, in a world with habits: with a given share an object has its
shape's favourite colour, and answers are not balanced. This is the prior that the VLM starts with.

    python -m eyechart.training.train_language --receipt data/raw/clevr_pretrain/acquired.json
        --recipe JSON --seed 7 --output results/training/language/model/ready.json
        --curve results/training/language/curve.parquet
"""

from typing import Any

import torch

from eyechart import errors, randomness
from eyechart.studio.questions import Examiner
from eyechart.studio.scenes import draw_plan
from eyechart.training import loop, stage
from eyechart.training.answering import accuracies, answer_logits, answer_loss
from eyechart.training.architectures import build_language_model, build_tokenizer
from eyechart.training.packing import Packer, Question
from eyechart.training.pictures import load_pictures, task_of

STAGE = "language"


def imagine(settings: dict[str, Any], studio: dict[str, Any], seed: int) -> list[list[Question]]:
    """Give the questions and answers of ``settings['scenes']`` scenes in the world with habits."""
    examiner = Examiner(studio["families"], balance=False)
    corpus = []
    for index in range(settings["scenes"]):
        rng = randomness.dice("imagine", seed, index)
        scene = draw_plan(randomness.generator("imagine", seed, index), studio)
        for obj in scene["objects"]:
            if rng.random() < settings["favourite_share"]:
                obj["color"] = settings["favourites"][obj["shape"]]
        asked = examiner.ask(rng, scene, studio["questions"])
        corpus.append(
            [
                {
                    "question": q["question"],
                    "answer": q["answer"],
                    "task": task_of(q["program"][-1]["function"]),
                }
                for q in asked
            ]
        )
    return corpus


def main(argv: list[str]) -> None:
    """Train the tokenizer and the language model from nothing."""
    args = stage.parse_args(argv, __doc__, [])
    recipe = args.recipe
    stage.make_deterministic(recipe[STAGE]["threads"])
    corpus = imagine(recipe["language"], recipe["studio"], args.seed)
    texts = [f"Q: {q['question']} A: {q['answer']}" for row in corpus for q in row]
    tokenizer = build_tokenizer(texts, recipe["vocabulary"], image=True)
    model = build_language_model(recipe["architecture"], tokenizer, args.seed).train()
    packer = Packer(tokenizer, image_tokens=0)
    held_out = load_pictures(args.receipt.parent, "val", recipe["held_out"])

    def loss(generator: torch.Generator) -> torch.Tensor:
        picks = torch.randperm(len(corpus), generator=generator)[: recipe["language"]["batch"]]
        packed = packer.pack([corpus[i] for i in picks.tolist()])
        return answer_loss(answer_logits(model, packed, None), packed)

    identity = {"stage": STAGE, "seed": args.seed, "recipe": recipe}
    curve = loop.fit(
        dict(model.named_parameters()),
        loss,
        lambda: accuracies(model, packer, held_out, blank=True),
        recipe["language"],
        identity,
        stage.checkpoint_path(args),
    )
    stage.finish(args, STAGE, curve, [(model, {}), (tokenizer, {})])


if __name__ == "__main__":
    errors.run(main)
