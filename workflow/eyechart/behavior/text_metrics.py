"""Metrics of free-form texts: VQA accuracy, BLEU-4 and CIDEr-D against references.

Given the same words, BLEU-4 and CIDEr-D equal the Python parts of ``pycocoevalcap``, the scorer of
COCO captions. Texts are split by :func:`words`, whereas that scorer uses the Penn Treebank
tokenizer of Stanford's CoreNLP, which needs Java.
"""

import math
import re
from collections import Counter

import numpy as np

from eyechart.behavior.vqa_normalise import plain, same_words

N = 4  # n-grams up to this length
NEEDED = 3  # number of equal references that count as full agreement in VQA accuracy
SIGMA = 6.0  # width of CIDEr-D's length penalty, in bigrams

Words = list[str]
Ngram = tuple[str, ...]
Weighed = tuple[dict[Ngram, float], np.ndarray, int]  # weights; norm for each n; number of bigrams

_WORD = re.compile(
    r"n't|'(?:s|re|ve|ll|d|m)\b|\d+(?:[.,:/]\d+)+|[^\W_]+?(?=n't\b)|[^\W_]+(?:-[^\W_]+)*"
)


def words(text: str) -> Words:
    """Split a text into lower-case words, without punctuation.

    Clitics are separate words ("isn't": is, n't; "dog's": dog, 's). Numbers with inner punctuation
    ("3.5", "10:30") and hyphenated compounds ("t-shirt") are one word.

    Notes
    -----
    This follows Penn Treebank conventions. It may differ from CoreNLP in abbreviations ("u.s."), in
    symbols ("$5", "50%": the sign is dropped here), in "cannot" and "gonna" (one word here), in
    compounds joined by a slash, and in email and web addresses.
    """
    return _WORD.findall(text.lower().replace("’", "'"))


def vqa_accuracy(answer: str, references: list[str], rule: str = "official") -> float:
    """Return an answer's agreement with human references, averaged over leaving out each one.

    Three equal answers among the others count as full agreement.

    Source: Antol et al., "VQA: Visual Question Answering" (ICCV 2015), as scored by the evaluation
    code of VQA v2: min(matches / 3, 1), averaged over all subsets of nine of ten references. VQA
    never has fewer than four references, and its code would never score them as full agreement.
    Here, with so few references, all others must match, a single reference is decisive, and
    answers are always normalised.

    Parameters
    ----------
    rule : ``official`` or ``normalised``
        ``official`` normalises answers only if the references differ, as the released code does, so
        "Yes" is wrong against ten times "yes". ``normalised`` always does.
    """
    m = len(references)
    lines = [plain(reference) for reference in references]
    alike = rule == "official" and m > NEEDED and len(set(lines)) == 1
    own, *others = [plain(t) if alike else same_words(t) for t in (answer, *lines)]
    k = others.count(own)
    if m == 1:
        return float(k)
    needed = min(NEEDED, m - 1)
    return (k * min(1.0, (k - 1) / needed) + (m - k) * min(1.0, k / needed)) / m


def ngrams(words: Words) -> Counter[Ngram]:
    """Count all n-grams of 1 to N words."""
    return Counter(
        tuple(words[i : i + n]) for n in range(1, N + 1) for i in range(len(words) - n + 1)
    )


def bleu_sums(candidate: Words, references: list[Words]) -> list[int]:
    """Return a text's counts for corpus BLEU: matches per n, n-grams per n, and two lengths.

    Matches are clipped at the n-gram's maximum count in any reference. The first length is the
    text's, the second that of the reference closest in length (the shorter one in a tie).
    """
    most: Counter[Ngram] = Counter()
    for reference in references:
        most |= ngrams(reference)
    matches = [0] * N
    for ngram, count in ngrams(candidate).items():
        matches[len(ngram) - 1] += min(count, most[ngram])
    length = len(candidate)
    tried = [max(0, length - n) for n in range(N)]
    nearest = min((len(reference) for reference in references), key=lambda r: (abs(r - length), r))
    return [*matches, *tried, length, nearest]


def bleu(sums: np.ndarray) -> np.ndarray:
    """Return BLEU-4 of corpora, shape (m,), from the sums (m, 10) of :func:`bleu_sums`.

    Source: Papineni et al., ACL 2002, equations 2-3, with uniform weights. The small constants are
    from the reference implementation; with them, a corpus without any matching 4-gram scores
    slightly above 0.
    """
    matches, tried = sums[:, :N], sums[:, N : 2 * N]
    ratio = (sums[:, -2] + 1e-15) / (sums[:, -1] + 1e-9)
    precision = np.prod((matches + 1e-15) / (tried + 1e-9), axis=1) ** (1 / N)
    return precision * np.exp(np.minimum(0, 1 - 1 / ratio))


class Consensus:
    """CIDEr-D: a text's similarity to its references, with rare n-grams weighted highest.

    Source: Vedantam et al., "CIDEr" (CVPR 2015), section 4, in the variant CIDEr-D: clipped counts,
    a Gaussian length penalty, times 10. As in the reference implementation, a text's length is its
    number of bigrams, and the mean is taken over n = 1 to 4, then over references.

    Parameters
    ----------
    references : references of every item of the corpus, at least one each; n-grams are weighted by
        the number of items whose references contain them. In a corpus of one item, all weights are
        0.
    """

    def __init__(self, references: list[list[Words]]):
        counts = [[ngrams(reference) for reference in own] for own in references]
        self.found = Counter(ngram for own in counts for ngram in set().union(*own))
        self.items = len(references)
        self.references = [[self._weigh(count) for count in own] for own in counts]

    def score(self, item: int, candidate: Words) -> float:
        """Return a text's score, 0 to 10, for the item with this index in the corpus."""
        own = self._weigh(ngrams(candidate))
        return 10 * float(np.mean([_likeness(own, other) for other in self.references[item]]))

    def _weigh(self, counts: Counter[Ngram]) -> Weighed:
        weights = {
            ngram: count * math.log(self.items / max(1, self.found[ngram]))
            for ngram, count in counts.items()
        }
        squares = [0.0] * N
        for ngram, weight in weights.items():
            squares[len(ngram) - 1] += weight**2
        bigrams = sum(count for ngram, count in counts.items() if len(ngram) == 2)
        return weights, np.sqrt(squares), bigrams


def _likeness(one: Weighed, two: Weighed) -> float:
    """Return the mean over n of the clipped cosine of two texts, times the length penalty."""
    (weights, norm, length), (others, other_norm, other_length) = one, two
    dot = [0.0] * N
    for ngram, weight in weights.items():
        other = others.get(ngram, 0.0)
        dot[len(ngram) - 1] += min(weight, other) * other
    scale = norm * other_norm
    cosine = np.divide(dot, scale, out=np.zeros(N), where=scale > 0)
    return float(cosine.mean() * np.exp(-((length - other_length) ** 2) / (2 * SIGMA**2)))
