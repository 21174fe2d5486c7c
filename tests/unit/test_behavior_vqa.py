"""VQA accuracy and its normal form of answers, equal to the evaluation code of VQA v2.

The expected values were computed with the March 2021 version of that code. Its rules: a punctuation
mark becomes a space, but is removed if it occurs next to a space anywhere or if the answer has a
comma between digits; up to 32 periods are removed unless a digit follows; then come numbers up to
ten, articles and contractions.
"""

import pytest

from eyechart.behavior.text_metrics import vqa_accuracy
from eyechart.behavior.vqa_normalise import same_words

# fmt: off
FORMS = [
    ('A Dog', 'dog'),
    ('an apple', 'apple'),
    ('the', ''),
    ('The The', ''),
    ('a', ''),
    ('thea', 'thea'),
    ('2.5 m.', '2.5 m'),
    ('3.', '3'),
    ('3.5.', '3.5'),
    ('...', ''),
    ('.5', '.5'),
    ('5.', '5'),
    ('U.S.A.', 'usa'),
    ('u.s. flag', 'us flag'),
    ('st. louis', 'st louis'),
    ('e.g.x', 'egx'),
    ('no.1', 'no.1'),
    ('10.30 am', '10.30 am'),
    ('two dogs', '2 dogs'),
    ('none', '0'),
    ('None', '0'),
    ('Zero', '0'),
    ('ten', '10'),
    ('eleven', 'eleven'),
    ('One-way', '1 way'),
    ('twenty one', 'twenty 1'),
    ('one,two', '1 2'),
    ('two.', '2'),
    ('two!', '2'),
    ('ten%', 'ten%'),
    ('number one', 'number 1'),
    ('none.', '0'),
    ('a one', '1'),
    ('dont know', "don't know"),
    ("couldnt've, couldn'tve", "couldn't've couldn't've"),
    ('couldntve', 'couldntve'),
    ('Im', 'im'),
    ('Ive', 'ive'),
    ("id've", "id've"),
    ('lets', 'lets'),
    ("let's", "let's"),
    ('shes', 'shes'),
    ("she's", "she's"),
    ("somebody'd", 'somebodyd'),
    ('somebodyd', 'somebodyd'),
    ("somebodyd've", "somebody'd've"),
    ('somebodyll', "somebody'll"),
    ('weve', "we've"),
    ("ow's'at", "'ow's'at"),
    ("'ows'at", "'ow's'at"),
    ('twas', "'twas"),
    ('yall', "y'all"),
    ("y'allll", "y'all'll"),
    ("o'clock", "o'clock"),
    ('oclock', "o'clock"),
    ('maam', "ma'am"),
    ('aint.', "ain't"),
    ('its', 'its'),
    ('wheres', "where's"),
    ('notve', "not've"),
    ("wed've", "we'd've"),
    ('theyre', "they're"),
    ('CANT', "can't"),
    ('can’t', 'can’t'),
    ('youll', "you'll"),
    ('100,978', '100978'),
    ('1,000 dogs', '1000 dogs'),
    ('1,2,3', '123'),
    ('1, 2', '1 2'),
    ('a,b', 'b'),
    ('red,blue', 'red blue'),
    ('red, blue', 'red blue'),
    ('red ,blue', 'red blue'),
    ('1,000!x', '1000x'),
    ('4,5-6', '456'),
    ('left/right', 'left right'),
    ('left / right', 'left right'),
    ('x-ray', 'x ray'),
    ('t-shirt', 't shirt'),
    ('-', ''),
    ('- 5', '5'),
    ('yes , indeed', 'yes indeed'),
    ('yes!', 'yes'),
    ('yes?', 'yes'),
    ('what?!', 'what'),
    ('(red)', 'red'),
    ('red (dark)', 'red dark'),
    ('[x]', 'x'),
    ('{x}', 'x'),
    ('a_b', 'b'),
    ('a=b', 'b'),
    ('1+1', '1 1'),
    ('c++', 'c'),
    ('"stop"', 'stop'),
    ('say "stop" now', 'say stop now'),
    ('<b>', 'b'),
    ('me@x.com', 'me xcom'),
    ('`tick`', 'tick'),
    ('back\\slash', 'back slash'),
    ('semi;colon', 'semi colon'),
    ("girl's bag", "girl's bag"),
    ('2:50 pm', '2:50 pm'),
    ('10:30', '10:30'),
    ('50%', '50%'),
    ('$5', '$5'),
    ('#1', '#1'),
    ('*', '*'),
    ('~x', '~x'),
    ('&', '&'),
    ('a & b', '& b'),
    ('  padded  ', 'padded'),
    ('two\nlines', '2 lines'),
    ('tab\tbed', 'tab bed'),
    ('\n', ''),
    ('new \n- line', 'new line'),
    ('é, è', 'é è'),
    ('ÉCOLE', 'école'),
    ('', ''),
    ('a.b', 'ab'),
    ('Mr. T', 'mr t'),
    ('x .', 'x'),
    ('no , thanks.', 'no thanks'),
    ('1.000', '1.000'),
    ('v2.0.', 'v2.0'),
    ('5,6.7', '56.7'),
    ('and/or,', 'and or'),
    ('Yes, the 2 dogs.', 'yes 2 dogs'),
    ("." * 40, "." * 8),
]
AGREED = [  # answer, references with their counts, accuracy
    ('Yes', {'yes': 10}, 0.0),
    ('yes', {'yes': 10}, 1.0),
    ('yes.', {'yes': 10}, 0.0),
    (' yes\n', {'yes': 10}, 1.0),
    ('two', {'2': 10}, 0.0),
    ('2', {'two': 10}, 0.0),
    ('two', {'two': 10}, 1.0),
    ('The dog', {'the dog': 9, 'dog': 1}, 1.0),
    ('the dog', {'the dog': 10}, 1.0),
    ('dog', {'the dog': 10}, 0.0),
    ('Dog.', {'a dog': 3, 'cat': 7}, 0.9),
    ('yes', {'yes': 9, 'Yes': 1}, 1.0),
    ('YES!', {'yes': 9, 'no': 1}, 1.0),
    ('no', {'yes': 9, 'no': 1}, 0.3),
    ('dont', {"don't": 2, 'x': 8}, 0.6),
    ('yes\t', {'yes ': 5, 'yes': 5}, 1.0),
    ('Yes', {'yes ': 5, 'yes': 5}, 0.0),
    ('x ray', {'x-ray': 2, 'X ray': 2, 'no': 6}, 1.0),
]
# fmt: on


@pytest.mark.parametrize(("answer", "expected"), FORMS)
def test_answers_have_the_normal_form_of_the_official_code(answer, expected):
    assert same_words(answer) == expected


@pytest.mark.parametrize(("answer", "people", "expected"), AGREED)
def test_accuracy_is_the_official_one(answer, people, expected):
    references = [text for text, count in people.items() for _ in range(count)]
    assert vqa_accuracy(answer, references) == pytest.approx(expected, abs=1e-6)


def test_our_rule_also_normalises_equal_references():
    assert vqa_accuracy("Yes", ["yes"] * 10, "normalised") == 1
    assert vqa_accuracy("The dog", ["a dog"] * 10, "normalised") == 1
    assert vqa_accuracy("no", ["yes"] * 9 + ["no"], "normalised") == pytest.approx(0.3)
