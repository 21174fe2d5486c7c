"""Text metrics equal the reference implementation and follow VQA's published rules."""

import numpy as np
import pytest
from fake_answers import answer, item, references, score, values
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider

from eyechart.behavior.text_metrics import Consensus, bleu, bleu_sums, vqa_accuracy, words


def captions(rng, items, most_references=5, most_words=12, vocabulary=15):
    """Return random references and candidates; some candidates repeat one, some are very short."""
    names = np.array([f"w{i}" for i in range(vocabulary)])

    def text():
        return names[rng.integers(vocabulary, size=rng.integers(1, most_words))].tolist()

    given = [[text() for _ in range(rng.integers(1, most_references + 1))] for _ in range(items)]
    said = [own[0] if rng.random() < 0.3 else text() for own in given]
    said[0] = []
    return given, said


def as_the_reference_wants(given, said):
    gts = {i: [" ".join(r) for r in own] for i, own in enumerate(given)}
    return gts, {i: [" ".join(s)] for i, s in enumerate(said)}


@pytest.mark.parametrize("seed", range(8))
def test_bleu_and_cider_equal_the_reference_implementation(seed):
    rng = np.random.default_rng(seed)
    given, said = captions(rng, items=int(rng.integers(2, 40)), vocabulary=int(rng.integers(3, 30)))
    gts, res = as_the_reference_wants(given, said)
    sums = np.array([bleu_sums(s, own) for s, own in zip(said, given, strict=True)], dtype=float)
    expected, each = Bleu(4).compute_score(gts, res, verbose=0)
    assert bleu(sums.sum(0)[None])[0] == pytest.approx(expected[3], abs=1e-9)
    assert bleu(sums) == pytest.approx(each[3], abs=1e-9)
    corpus = Consensus(given)
    expected, each = Cider().compute_score(gts, res)
    assert [corpus.score(i, s) for i, s in enumerate(said)] == pytest.approx(each, abs=1e-9)


HARD = {
    "empty": ["", "a red cube", "a blue ball"],
    "repeated words": ["red " * 9, "cube cube cube", "a a blue blue ball ball"],
    "very long": ["a red cube and " * 60, "a green ball " * 40, "a blue ball"],
    "identical": ["a red cube lies here", "a green ball lies there", "a blue ball rolls on"],
    "unknown words": ["un deux trois", "cuatro", "a blue"],
}
LIKE = (
    ["a red cube lies here", "one red cube"],
    ["a green ball lies there"],
    ["a blue ball rolls on", "a ball a ball a ball", "blue"],
)


@pytest.mark.parametrize("items", [1, 2, 3])
@pytest.mark.parametrize("kind", HARD)
def test_hard_captions_score_as_in_the_reference_implementation(kind, items):
    given = [[text.split() for text in own] for own in LIKE[:items]]
    said = [text.split() for text in HARD[kind][:items]]
    expected, each = Cider().compute_score(*as_the_reference_wants(given, said))
    corpus = Consensus(given)
    found = [corpus.score(i, s) for i, s in enumerate(said)]
    assert found == pytest.approx(each, abs=1e-9)
    assert np.mean(found) == pytest.approx(expected, abs=1e-9)
    if items == 1 or kind == "unknown words":
        assert found[0] == 0, "no n-gram of the item has a weight and occurs in a reference"
    elif kind == "identical":
        assert found[1] == pytest.approx(10)
    elif kind == "very long":
        assert max(found[:2]) < 1e-6, "the penalty of length"


def test_bleu_by_hand():
    the_cat = ["the", "cat", "sat", "on", "the", "mat"]
    reference = ["the", "cat", "is", "on", "the", "mat"]
    sums = bleu_sums(the_cat, [reference, ["far"]])
    assert sums == [5, 3, 1, 0, 6, 5, 4, 3, 6, 6]
    longer = bleu_sums(the_cat, [the_cat[:-1], [*the_cat, "again"]])
    assert longer[-1] == 5, "if two lengths are equally near, the shorter counts"


def test_a_caption_equal_to_its_reference_has_the_highest_scores():
    given = [[f"a {c} thing lies here".split()] for c in ("red", "blue", "green")]
    sums = np.array([bleu_sums(own[0], own) for own in given], dtype=float)
    assert bleu(sums.sum(0)[None])[0] == pytest.approx(1)
    corpus = Consensus(given)
    own, other = corpus.score(0, given[0][0]), corpus.score(0, given[1][0])
    assert own == pytest.approx(10)
    assert other == 0, "n-grams that all references share have no weight"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man isn't sitting; he's on a T-shirt.", "a man is n't sitting he 's on a t-shirt"),
        ("It costs 3.50, at 10:30 (or 1,000)!", "it costs 3.50 at 10:30 or 1,000"),
        ("the dog’s “bone” 'here'", "the dog 's bone here"),
        ("", ""),
    ],
)
def test_words_are_split_like_a_treebank_without_punctuation(text, expected):
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("matches", "expected"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (9, 1)]
)
def test_vqa_accuracy_leaves_each_of_ten_people_out_once(matches, expected):
    people = ["two"] * matches + [f"other {i}" for i in range(10 - matches)]
    assert vqa_accuracy("2", people) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["red"], 1),
        (["blue"], 0),
        (["red", "red"], 1),
        (["red", "blue"], 1 / 2),
        (["red", "red", "red"], 1),
        (["red", "blue", "blue"], 1 / 3),
        (["red"] * 3 + ["blue"], 3 / 4),
    ],
)
def test_vqa_accuracy_is_meaningful_with_few_references(given, expected):
    assert vqa_accuracy("Red.", given) == pytest.approx(expected, abs=1e-9)


def told(name, condition, text):
    said = answer(name, condition, 0, "", [])
    return said | {"predicted": None, "text": text}


def test_open_questions_are_scored_along_with_choices(tmp_path):
    rng = np.random.default_rng(0)
    given, said = captions(rng, items=20)
    items = [
        item(
            f"c{i:02d}", " ".join(own[0]), [], task="caption", meta=references(*map(" ".join, own))
        )
        for i, own in enumerate(given)
    ]
    items += [item("open", "red", [], task="color"), item("untold", "red", [], task="color")]
    items += [item("closed", "on", ["off", "on"], task="state")]
    rows = [told(f"c{i:02d}", "sighted", " ".join(s)) for i, s in enumerate(said)]
    rows += [told("open", "sighted", "A red."), told("untold", "sighted", None)]
    rows += [answer("closed", "sighted", 0, "on", ["off", "on"])]
    scores, shares = score(tmp_path, items, {"sighted": rows})
    gts, res = as_the_reference_wants(given, said)
    found = scores.filter(task="caption")
    assert found["metric"].to_list() == ["bleu_4", "cider_d", "vqa_accuracy"]
    assert found["n"].to_list() == [20] * 3
    assert found["chance"].null_count() == 3
    own = values(scores, task="caption")
    assert own["bleu_4"] == pytest.approx(
        Bleu(4).compute_score(gts, res, verbose=0)[0][3], abs=1e-9
    )
    assert own["cider_d"] == pytest.approx(Cider().compute_score(gts, res)[0], abs=1e-9)
    assert (found["ci_low"] <= found["value"]).all() and (found["value"] <= found["ci_high"]).all()
    assert values(scores, task="color")["vqa_accuracy"] == 1, "the only reference is the answer"
    assert values(scores, task="color", column="n")["vqa_accuracy"] == 1, "no text, no score"
    assert values(scores)["accuracy"] == 1 and values(scores, column="n")["accuracy"] == 1
    assert set(shares["task"]) == {"all", "state"}


def test_the_interval_of_bleu_is_for_corpora_not_sentences(tmp_path):
    rng = np.random.default_rng(1)
    given, said = captions(rng, items=30)
    items = [
        item(f"c{i:02d}", None, [], task="caption", meta=references(*map(" ".join, own)))
        for i, own in enumerate(given)
    ]
    rows = [told(f"c{i:02d}", "sighted", " ".join(s)) for i, s in enumerate(said)]
    scores, _ = score(tmp_path, items, {"sighted": rows}, bootstrap=2000)
    sums = np.array([bleu_sums(s, own) for s, own in zip(said, given, strict=True)], dtype=float)
    picks = rng.integers(30, size=(2000, 30))
    expected = np.quantile(bleu(sums[picks].sum(1)), [0.025, 0.975])
    row = scores.filter(task="all", metric="bleu_4")
    assert [row["ci_low"][0], row["ci_high"][0]] == pytest.approx(expected, abs=0.03)
