"""What the rules ask about answers: which model is asked about which dataset, and how.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical, check_known, one_of
from eyechart.plan.registry import LAYOUTS
from eyechart.tables.conditions import CONDITIONS

ASKED = ("items", "most", "batch_size")
# What only one kind of model reads, and what the other is told instead
OF_VLM = {"prompt": "{question}", "choices": "text", "orders": 1, "greedy": "none",
          "greedy_tokens": 1}  # fmt: skip
OF_ENCODER = {"statement": "{question} {choice}", "caption": "{statement}"}


@dataclass(frozen=True)
class BehaviorPlan:
    """A checked configuration and the specs of all models that there are."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that is asked about or described and does not exist."""
        known = self.config["datasets"]
        for key in ("datasets", "by_dataset"):
            for dataset in self.config["behavior"][key]:
                check_known(f"behavior.{key}", "dataset", dataset, known)

    @property
    def datasets(self) -> list[str]:
        """The datasets that models are asked about."""
        return list(self.config["behavior"]["datasets"])

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of the exam in which the model is asked."""
        for dataset in self.datasets:
            for model in self.config["models"]:
                if self.asks(model, dataset):
                    yield model, dataset

    def asks(self, model: str, dataset: str) -> bool:
        """Whether a model can answer a dataset's questions: it reads text, and their form."""
        spec = self.specs[model]
        form = self._layout(dataset).form
        return spec.reads_text and (form == "question" or spec.kind == "encoder")

    def pairs_up(self, dataset: str) -> bool:
        """Whether a dataset's items come in pairs that count only together, as MMVP's do."""
        return bool(self._layout(dataset).pairs)

    def any_model(self, kind: str) -> str:
        """Give the pattern of ``{model}``: all models of a kind that read text."""
        return one_of(m for m, s in self.specs.items() if s.kind == kind and s.reads_text)

    def conditions(self, kind: str) -> list[str]:
        """Give the conditions that models of a kind are asked under, in the house's order."""
        wanted = self.config["behavior"]["conditions"]
        shown = [c for c in CONDITIONS if c in wanted]
        return [c for c in shown if kind == "vlm" or c != "no_image"]

    # Slices of settings, each as canonical JSON

    def asking(self, wildcards: Any) -> str:
        """Give how the items of a dataset are asked: what holds for all, and what is its own.

        What the model does not read is always the same, so that it depends on none of it.
        """
        own = self.config["behavior"]["by_dataset"].get(wildcards.dataset, {})
        asked = {**self.config["behavior"], **own}
        vlm = self.specs[wildcards.model].kind == "vlm"
        read, unread = (OF_VLM, OF_ENCODER) if vlm else (OF_ENCODER, OF_VLM)
        return canonical({**{key: asked[key] for key in (*ASKED, *read)}, **unread})

    def retrieving(self, wildcards: Any) -> str:
        """Give how captions and pictures are compared."""
        return self._slice("caption", "bootstrap", "batch_size")

    def scoring(self, wildcards: Any) -> str:
        """Give how answers are scored."""
        return self._slice("bootstrap")

    def comparing(self, wildcards: Any) -> str:
        """Give how patterns are compared."""
        return self._slice("bootstrap", "permutations")

    # Paths

    def answers(self, wildcards: Any) -> list[str]:
        """Give the tables of answers of a model on a dataset, one per condition."""
        return self._answers(wildcards.model, wildcards.dataset)

    def scores(self, suffix: str = ".parquet") -> list[str]:
        """Give the score tables of the whole exam, or with another suffix what stands beside."""
        return _of(paths.SCORES.beside(suffix), self.pairs())

    def all_answers(self) -> list[str]:
        """Give the tables of answers of the whole exam."""
        return [path for pair in self.pairs() for path in self._answers(*pair)]

    def retrievals(self) -> list[str]:
        """Give the tables of retrieval: of encoders that read, on datasets with captions."""
        pairs = [(m, d) for m, d in self.pairs() if self.specs[m].kind == "encoder"]
        return _of(paths.RETRIEVAL, [(m, d) for m, d in pairs if self._layout(d).captions])

    def patterned(self, model: str | None = None) -> list[tuple[str, str]]:
        """Give (model, dataset) of all pairs of pictures: of the exam, or of a model's page.

        Encoders are asked which picture a statement is true of, VLMs a question about each, as in
        the paper. The page of a VLM tells of the encoder that it contains, too.
        """
        if model is None:
            asked = self.config["models"]
        else:
            encoder = self.encoder(model)
            asked = [model, *([encoder] if encoder else [])]
        sets = [dataset for dataset in self.datasets if self.pairs_up(dataset)]
        form = {"encoder": "which_picture", "vlm": "question"}
        pairs = [(m, d) for m in asked for d in sets if self.asks(m, d)]
        return [(m, d) for m, d in pairs if self._layout(d).form == form[self.specs[m].kind]]

    def pattern_scores(self, wildcards: Any) -> list[str]:
        """Give the score tables that the patterns of a page are read from."""
        return _of(paths.SCORES, self._on_page(wildcards))

    def pattern_distributions(self, wildcards: Any) -> list[str]:
        """Give the tables of distributions beside them."""
        return _of(paths.DISTRIBUTIONS, self._on_page(wildcards))

    def pattern_answers(self, wildcards: Any) -> list[str]:
        """Give the tables of answers that a page tells of: the model's own."""
        own = [(m, d) for m, d in self._on_page(wildcards) if m == wildcards.model]
        return [path for pair in own for path in self._answers(*pair)]

    def pattern_tables(self, name: str) -> Any:
        """Give, as a function of ``{model}``, the tables of items or images of its page."""

        def give(wildcards: Any) -> list[str]:
            sets = [d for m, d in self._on_page(wildcards) if m == wildcards.model]
            table = paths.ITEMS.beside(f"{name}.parquet", "items.parquet")
            return [table.rule(dataset=dataset) for dataset in sets]

        return give

    def pattern_cards(self, wildcards: Any) -> list[str]:
        """Give the cards of the models on a page."""
        models = dict.fromkeys(model for model, _ in self._on_page(wildcards))
        return [paths.CARD.rule(model=model) for model in models]

    def encoder(self, model: str) -> str:
        """Give the encoder that a model contains, if it can be asked about pairs, or nothing."""
        name = self.specs[model].encoder
        return name if name in self.specs and self.specs[name].reads_text else ""

    def encoder_of(self, wildcards: Any) -> str:
        """Give the encoder of ``{model}``, see :meth:`encoder`."""
        return self.encoder(wildcards.model)

    def tables_of_patterns(self, name: str) -> list[str]:
        """Give the table of all models' patterns, where any is asked about pairs of pictures."""
        return [paths.PATTERN_TABLES.rule(table=name)] if self.patterned() else []

    def pages(self) -> list[str]:
        """Give the pages about pairs of pictures, one per model that is asked about some."""
        models = dict.fromkeys(model for model, _ in self.patterned())
        return [paths.PATTERN_PAGE.rule(model=model) for model in models]

    def _on_page(self, wildcards: Any) -> list[tuple[str, str]]:
        return self.patterned(getattr(wildcards, "model", None))

    def _answers(self, model: str, dataset: str) -> list[str]:
        shown = self.conditions(self.specs[model].kind)
        return [paths.RESPONSES.rule(model=model, dataset=dataset, condition=c) for c in shown]

    def _layout(self, dataset: str) -> Any:
        return LAYOUTS[self.config["datasets"][dataset]["layout"]]

    def _slice(self, *keys: str) -> str:
        return canonical({key: self.config["behavior"][key] for key in keys})


def _of(pattern: paths.Pattern, pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [pattern.rule(model=model, dataset=dataset) for model, dataset in pairs]
