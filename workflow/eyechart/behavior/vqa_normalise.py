"""What VQA accuracy takes for the same answer: letter case, punctuation, numbers, articles.

Source: the rules on the evaluation page of VQA (Antol et al., ICCV 2015), in the way that the
evaluation code released with it follows them.
"""

import re

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'  # not the apostrophe, the colon and the period
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
    """Give the spellings of a word that lack one of its apostrophes."""
    return [word[:i] + word[i + 1 :] for i, letter in enumerate(word) if letter == "'"]


_MENDED = {slip: word for word in _CONTRACTIONS.split() for slip in _lacking_one(word)}


def same_words(answer: str) -> str:
    """Give an answer in the form in which answers are compared.

    A mark of punctuation becomes a space, or nothing where that mark stands beside a space anywhere
    in the answer or a comma stands between digits; a period goes unless a digit follows. Then, in
    lower case: number words up to ten become digits, articles go, and a contraction that lacks an
    apostrophe gets it.

    Notes
    -----
    The released code leaves references as they are written but for punctuation (their authors had
    normalised them before); here they go the same way as the answer, which changes nothing there
    and is what the evaluation page says. Its list turns "somebody'd" into "somebodyd", a slip that
    is not repeated.

    >>> same_words("The two dogs, dont they?")
    "2 dogs don't they"
    """
    text = " ".join(re.split(r"[\n\t]", answer)).strip()
    thousands = re.search(r"\d,\d", text) is not None
    spaces = {
        ord(mark): "" if thousands or mark + " " in text or " " + mark in text else " "
        for mark in _PUNCTUATION
    }
    text = re.sub(r"\.(?!\d)", "", text.translate(spaces))
    words = [_NUMBER.get(word, word) for word in text.lower().split()]
    return " ".join(_MENDED.get(word, word) for word in words if word not in _ARTICLES)
