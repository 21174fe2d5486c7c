"""Metrics of answers to open questions, computed against each item's references."""

import json
from functools import cached_property

import numpy as np
import polars as pl

from eyechart.behavior import text_metrics
from eyechart.behavior.text_metrics import Consensus, Words
from eyechart.statistics.resample import Measure, mean, per_unit
from eyechart.tables.response_arrays import AnsweredItems, ConditionResponses


class References:
    """A dataset's references for open questions, tokenized and weighted once for all conditions.

    Parameters
    ----------
    items : references are ``meta.references`` or, if missing, only ``answer``; an item with neither
        has no metrics
    """

    def __init__(self, asked: AnsweredItems, items: pl.DataFrame):
        place = {name: i for i, name in enumerate(asked.ids.tolist())}
        known = items.filter(pl.col("choices").list.len() == 0).select("item_id", "answer", "meta")
        texts = {
            place[name]: json.loads(meta or "{}").get("references") or [answer]
            for name, answer, meta in known.iter_rows()
            if name in place
        }
        self.texts = {i: texts[i] for i in sorted(texts) if texts[i] != [None]}
        self.task = asked.task

    @cached_property
    def words(self) -> dict[int, list[Words]]:
        """Return the words of each reference of each item."""
        return {i: [text_metrics.words(t) for t in own] for i, own in self.texts.items()}

    @cached_property
    def consensus(self) -> dict[int, tuple[Consensus, int]]:
        """Return, for each item, CIDEr-D over its task's references, and the item's index there."""
        corpora: dict[str, list[int]] = {}
        for i in self.words:
            corpora.setdefault(self.task[i], []).append(i)
        found: dict[int, tuple[Consensus, int]] = {}
        for members in corpora.values():
            corpus = Consensus([self.words[i] for i in members])
            found |= {i: (corpus, place) for place, i in enumerate(members)}
        return found


def measures(references: References, said: ConditionResponses, vqa: str) -> list[Measure]:
    """Return BLEU-4, CIDEr-D and VQA accuracy over open items that have texts and references.

    ``vqa`` is the rule for VQA accuracy; see :func:`eyechart.behavior.text_metrics.vqa_accuracy`.
    These metrics have no chance level. BLEU-4 is recomputed from each resample's sums; CIDEr-D
    always uses the n-gram weights from all references of the item's task.
    """
    unit = np.array([i for i in references.texts if i in said.texts], dtype=int)
    if not len(unit):
        return []
    counts, consensus, agreed = [], [], []
    for i in unit.tolist():
        own = text_metrics.words(said.texts[i])
        counts.append(text_metrics.bleu_sums(own, references.words[i]))
        corpus, place = references.consensus[i]
        consensus.append(corpus.score(place, own))
        agreed.append(text_metrics.vqa_accuracy(said.texts[i], references.texts[i], vqa))
    return [
        Measure("bleu_4", unit, np.array(counts, dtype=float), text_metrics.bleu),
        Measure("cider_d", unit, per_unit(np.array(consensus)), mean),
        Measure("vqa_accuracy", unit, per_unit(np.array(agreed)), mean),
    ]
