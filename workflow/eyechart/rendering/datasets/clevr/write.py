"""Convert rendered shards to the official CLEVR v1.0 layout and generate questions.

Reads the shards' manifests; writes ``scenes/CLEVR_<split>_scenes.json``,
``questions/CLEVR_<split>_questions.json`` and, last, the receipt ``acquired.json``.

    python -m eyechart.rendering.datasets.clevr.write --dataset clevr --settings JSON --seed 7
        --shards data/raw/clevr/shards/val-000.json --root data/raw/clevr
        --output data/raw/clevr/acquired.json
"""

from typing import Any

from eyechart.core import randomness
from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.data.layouts.clevr.tasks import CAPTION
from eyechart.rendering.datasets.clevr.captions import caption_question
from eyechart.rendering.language.questions import QuestionSampler
from eyechart.rendering.step_helpers import Writing, finish, read_shards

TASKS = ("color", "shape", "material", "size", "number", "boolean")  # in question order
RENDERER_ONLY = ("camera", "lights")  # keys of a plan that CLEVR's scene files lack


def scenes_json(scenes: list[dict[str, Any]], split: str) -> dict[str, Any]:
    """Return the content of ``CLEVR_<split>_scenes.json``."""
    kept = [{k: v for k, v in s.items() if k not in RENDERER_ONLY} for s in scenes]
    return {"info": {"split": split, "version": "1.0", "license": "CC BY 4.0"}, "scenes": kept}


def questions_json(
    scenes: list[dict[str, Any]], name: tuple[str, str], settings: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Return the content of ``CLEVR_<split>_questions.json``.

    Parameters
    ----------
    name : (dataset, split); seeds the choice of questions, with ``seed`` and each scene's index
    settings : ``questions`` {task: number per image}, ``families``, ``balance``; the caption
        question comes last for each image
    """
    examiner = QuestionSampler(settings["families"], settings["balance"])
    wanted = {task: settings["questions"].get(task, 0) for task in TASKS}
    questions: list[dict[str, Any]] = []
    for scene in scenes:
        place = {k: scene[k] for k in ("image_index", "image_filename", "split")}
        rng = randomness.dice("questions", seed, *name, scene["image_index"])
        asked = examiner.ask(rng, scene, wanted)
        asked += [caption_question(scene)] * settings["questions"].get(CAPTION, 0)
        for question in asked:
            questions.append({**place, "question_index": len(questions), **question})
    info = {"split": name[1], "version": "1.0", "license": "CC BY 4.0"}
    return {"info": info, "questions": questions}


@command
def main(args: Writing) -> None:
    """Write scenes and questions of every split, then the receipt."""
    files, scenes = read_shards(args.shards, args.root, "scenes", order="image_index")
    splits: dict[str, tuple[int, int]] = {}
    for split in args.settings["splits"]:
        mine = [scene for scene in scenes if scene["split"] == split]
        questions = questions_json(mine, (args.dataset, split), args.settings, args.seed)
        for folder, content in (("scenes", scenes_json(mine, split)), ("questions", questions)):
            path = args.root / folder / f"CLEVR_{split}_{folder}.json"
            write_json(path, content)
            files.append(path)
        splits[split] = (len(mine), len(questions["questions"]))
    finish(args, "clevr", splits, files)


if __name__ == "__main__":
    main()
