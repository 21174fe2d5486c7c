"""Check whether the words of a caption are true of a scene."""

import re
from collections import Counter

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
THING = r"(?:small |large )?(?:gray |red |blue |green |brown |purple |cyan |yellow )?"
THING += r"(?:rubber |metal )?(?:cube|sphere|cylinder|thing)s?"


def fits(obj, words):
    """Return whether an object has all values of a description, in which ``thing`` has none."""
    values = [obj[a] for a in ("size", "color", "material", "shape")]
    return all(word in values for word in words.removesuffix("s").split() if word != "thing")


def number(word):
    return {"a": 1, **{w: n for n, w in enumerate(WORDS)}}.get(word) or int(word)


def listing(text):
    """Parse ``a red cube, two blue spheres and …`` into pairs of a number and words."""
    parts = re.split(r", | and ", text)
    found = [re.fullmatch(rf"(a|\w+) ({THING})", part) for part in parts]
    assert all(found), f"unknown words: {text}"
    return [(number(m[1]), m[2]) for m in found]


def is_whole(text, objects):
    """Return whether a list names every object exactly once, with correct counts."""
    listed = listing(text)
    right = all(sum(fits(o, words) for o in objects) == n for n, words in added(listed))
    return right and sum(n for n, _ in listed) == len(objects)


def added(listed):
    """Sum the counts of equal descriptions: ``a red cube and a red cube`` is two."""
    total = Counter()
    for n, words in listed:
        total[words.removesuffix("s")] += n
    return [(n, words) for words, n in total.items()]


def colored(objects, count, colors):
    return count == len(objects) and {o["color"] for o in objects} == set(colors)


def beside(objects, columns, left, right):
    """Return whether an object of one description is entirely left of one of the other."""
    return any(
        max(columns[i]) < min(columns[j])
        for i, a in enumerate(objects)
        for j, b in enumerate(objects)
        if i != j and fits(a, left) and fits(b, right)
    )


FLOOR = "things? on a gray floor"
WORDINGS = {
    rf"There is one {FLOOR}, and it is (\w+)\.": lambda o, c, color: colored(o, 1, [color]),
    rf"There are (\w+) {FLOOR}, all (\w+)\.": lambda o, c, n, color: colored(o, number(n), [color]),
    rf"There are (\w+) {FLOOR}, (.*) in color\.": lambda o, c, n, colors: colored(
        o, number(n), re.split(r", | and ", colors)
    ),
    rf"In this picture there is a ({THING})\.": lambda o, c, thing: any(fits(x, thing) for x in o),
    rf"A ({THING}) stands to the left of a ({THING})\.": beside,
    rf"A ({THING}) stands to the right of a ({THING})\.": lambda o, c, a, b: beside(o, c, b, a),
    r"A picture of (.*)\.": lambda o, c, text: is_whole(text, o),
    r"(?:We can see|The photo shows|Here we look at) (.*), lit from above\.": (
        lambda o, c, text: is_whole(text, o)
    ),
    r"(a .*[a-z])": lambda o, c, text: is_whole(text, o),
}


def is_true(caption, objects, columns):
    """Return whether a caption is true; raise an error for unknown wording.

    Parameters
    ----------
    objects : list of dict
        With size, color, material, shape.
    columns : list of set of int
        The image columns in which each object is visible.
    """
    known = {check: re.fullmatch(words, caption) for words, check in WORDINGS.items()}
    ((check, match),) = [(check, match) for check, match in known.items() if match]
    return check(objects, columns, *match.groups())
