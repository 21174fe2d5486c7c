"""Normalise answers for VQA accuracy: letter case, punctuation, numbers and articles.

Source: the rules on the evaluation page of VQA (Antol et al., ICCV 2015), as implemented in the
evaluation code of VQA v2 (its version of March 2021).
"""

import re

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'  # without the apostrophe, the colon and the period
_NUMBERS = "zero one two three four five six seven eight nine ten"
_NUMBER = {word: str(i) for i, word in enumerate(_NUMBERS.split())} | {"none": "0"}
_ARTICLES = {"a", "an", "the"}
_CONTRACTIONS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't
mightn't've must've mustn't needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
shouldn't shouldn't've somebody'd somebody'd've somebody'll somebody's someone'd someone'd've
someone'll someone's something'd something'd've something'll that's there'd there'd've there're
there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're
what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're
why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're
you've
"""


def _lacking_one(word: str) -> list[str]:
    """Return all spellings of a word that lack exactly one of its apostrophes."""
    return [word[:i] + word[i + 1 :] for i, letter in enumerate(word) if letter == "'"]


_MENDED = {slip: word for word in _CONTRACTIONS.split() for slip in _lacking_one(word)}
del _MENDED["somebodyd"]
_MENDED["somebody'd"] = "somebodyd"  # an error in the released list that affects scores
_PERIODS = 32  # the released code deletes at most 32, because it passes a flag as the count


def plain(answer: str) -> str:
    """Return an answer as one line, without surrounding whitespace."""
    return re.sub(r"[\n\t]", " ", answer).strip()


def same_words(answer: str) -> str:
    """Return the normalised form of an answer, used for comparison.

    A punctuation mark becomes a space, but is deleted if it is next to a space anywhere in the
    answer or if the answer has a comma between digits. A period is deleted unless a digit follows.
    The text is then lower-cased, number words up to ten become digits, articles are deleted, and
    missing apostrophes in contractions are restored.

    >>> same_words("The two dogs, dont they?")
    "2 dogs don't they"
    """
    text = plain(answer)
    thousands = re.search(r"\d,\d", text) is not None
    spaces = {
        ord(mark): "" if thousands or mark + " " in text or " " + mark in text else " "
        for mark in _PUNCTUATION
    }
    text = re.sub(r"\.(?!\d)", "", text.translate(spaces), count=_PERIODS)
    words = [_NUMBER.get(word, word) for word in text.lower().split()]
    return " ".join(_MENDED.get(word, word) for word in words if word not in _ARTICLES)
