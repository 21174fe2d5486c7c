"""Programs, questions and captions are true of their scenes, and answers are balanced."""

from collections import Counter

import pytest

from eyechart.core import randomness
from eyechart.data.layouts.clevr.programs import AmbiguousError, answer, count_values, meaning
from eyechart.data.layouts.clevr.tasks import answer_text
from eyechart.rendering.language.questions import (
    FAMILIES,
    TASK_FAMILIES,
    QuestionSampler,
    caption,
    node,
    phrase,
    run,
)
from eyechart.rendering.scene.clevr import draw_plan
from eyechart.rendering.scene.vocabulary import ATTRIBUTES

SETTINGS = {
    "objects": [2, 5],
    "extent": 2.5,
    "gap": 0.05,
    "light_jitter": 1.0,
    "camera": {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 30, "jitter": 0.3},
}
ONE_EACH = dict.fromkeys([*ATTRIBUTES, "number", "boolean"], 1)


def scenes(count):
    return [draw_plan(randomness.generator("test", i), SETTINGS) for i in range(count)]


def thing(**values):
    return {"size": "small", "color": "red", "material": "metal", "shape": "cube", **values}


TWO = {
    "objects": [thing(), thing(color="blue", size="large")],
    "relationships": {"left": [[1], []], "right": [[], [0]], "front": [[], []], "behind": [[], []]},
}


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ([node("scene"), node("count", [0])], "2"),
        ([node("scene"), node("filter_color", [0], "red"), node("exist", [1])], "yes"),
        ([node("scene"), node("filter_color", [0], "gray"), node("exist", [1])], "no"),
        (
            [
                node("scene"),
                node("filter_color", [0], "red"),
                node("unique", [1]),
                node("relate", [2], "left"),
                node("unique", [3]),
                node("query_size", [4]),
            ],
            "large",
        ),
        (
            [
                node("scene"),
                node("filter_color", [0], "red"),
                node("unique", [1]),
                node("same_shape", [2]),
                node("count", [3]),
            ],
            "1",
        ),
        (
            [
                node("scene"),
                node("filter_size", [0], "small"),
                node("filter_size", [0], "large"),
                node("union", [1, 2]),
                node("count", [3]),
                node("intersect", [1, 2]),
                node("count", [5]),
                node("greater_than", [4, 6]),
            ],
            "yes",
        ),
    ],
)
def test_engine_gives_known_answers(program, answer):
    assert run(program, TWO) == answer


def test_unique_refuses_two_objects_and_none():
    for color in ("cube", "sphere"):
        program = [node("scene"), node("filter_shape", [0], color), node("unique", [1])]
        with pytest.raises(AmbiguousError):
            run(program, TWO)


def test_every_question_is_answered_by_its_own_program():
    examiner = QuestionSampler(list(FAMILIES), balance=True)
    asked = 0
    for i, scene in enumerate(scenes(40)):
        questions = examiner.ask(randomness.dice("q", i), scene, ONE_EACH)
        asked += len(questions)
        for question in questions:
            assert run(question["program"], scene) == question["answer"]
        texts = [q["question"] for q in questions]
        assert len(set(texts)) == len(texts)
    assert asked > 200


def test_counts_and_programs_give_the_same_answers():
    examiner = QuestionSampler(list(FAMILIES), balance=True)
    answered = Counter()
    for i, scene in enumerate(scenes(60)):
        counts = count_values(scene, ATTRIBUTES)
        for question in examiner.ask(randomness.dice("q", i), scene, ONE_EACH):
            program = question["program"]
            found = answer(meaning(program), counts)
            functions = {step["function"].split("_")[0] for step in program}
            plain = functions <= {"scene", "filter", "count", "exist"}
            assert (found is not None) == plain
            assert found is None or answer_text(found) == question["answer"]
            answered[question["answer"]] += plain
    assert answered["yes"] > 5 and answered["no"] > 5 and answered["1"] > 5


def test_a_meaning_ignores_only_the_order_of_filters():
    red = node("filter_color", [0], "red"), node("filter_shape", [1], "cube")
    cube = node("filter_shape", [0], "cube"), node("filter_color", [1], "red")
    meanings = {meaning([node("scene"), *both, node("exist", [2])]) for both in (red, cube)}
    assert meanings == {"exist(cube red scene)"}
    beside = [node("unique", [2]), node("relate", [3], "left"), node("exist", [4])]
    assert meaning([node("scene"), *red, *beside]) == "exist(relate(left, unique(cube red scene)))"


def test_nothing_is_compared_with_itself_under_another_description():
    one = {"objects": TWO["objects"][:1], "relationships": {}}
    for seed in range(50):
        with pytest.raises(AmbiguousError):
            FAMILIES["compare_attribute"](randomness.dice("self", seed), one, "boolean")


def test_inputs_of_every_node_come_before_it():
    examiner = QuestionSampler(list(FAMILIES), balance=False)
    for i, scene in enumerate(scenes(30)):
        for question in examiner.ask(randomness.dice("q", i), scene, ONE_EACH):
            for at, step in enumerate(question["program"]):
                assert all(j < at for j in step["inputs"])


@pytest.mark.parametrize("task", list(TASK_FAMILIES))
def test_answers_are_balanced(task):
    examiner = QuestionSampler(["query", "count", "exist"], balance=True)
    plans = scenes(160)
    answers = Counter(
        q["answer"]
        for i, scene in enumerate(plans)
        for q in examiner.ask(randomness.dice("q", i), scene, {task: 1})
    )
    if task == "number":  # the larger counts exist in few scenes
        answers = {k: v for k, v in answers.items() if int(k) < 3}
    assert max(answers.values()) <= 1.3 * min(answers.values()) + 2


def test_wording_does_not_reveal_yes_or_no():
    examiner = QuestionSampler(["exist"], balance=True)
    by_wording = Counter()
    for i, scene in enumerate(scenes(300)):
        for q in examiner.ask(randomness.dice("q", i), scene, {"boolean": 1}):
            by_wording[len(q["question"].split()), q["answer"]] += 1
    for length in {length for length, _ in by_wording}:
        yes, no = by_wording[length, "yes"], by_wording[length, "no"]
        assert abs(yes - no) <= max(4, 0.25 * (yes + no))


def test_caption_names_every_object_once():
    for i, scene in enumerate(scenes(20)):
        words = caption(scene, randomness.dice("c", i))
        expected = sorted(f"a {phrase(o | {})}" for o in map(only_attributes, scene["objects"]))
        assert sorted(words.split(" and ")) == expected


def only_attributes(obj):
    return {a: obj[a] for a in ATTRIBUTES}
