"""The behavior stage: which models answer which datasets, with which prompts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import parts, paths
from eyechart.plan.configuration import Config, canonical, check_known, examines, one_of
from eyechart.plan.looks import LooksPlan
from eyechart.plan.registry import layout_of
from eyechart.tables.conditions import CONDITIONS

SHARED_KEYS = ("items", "most", "batch_size")
# Settings that only one kind of model reads. Models of the other kind get these constants, so that
# a change does not rerun them.
VLM_ONLY = {"prompt": "{question}", "scoring": "mean", "orders": 1, "greedy": "none",
            "greedy_tokens": 1}  # fmt: skip
ENCODER_ONLY = {"statement": "{question} {choice}", "caption": "{statement}"}


@dataclass(frozen=True)
class BehaviorPlan:
    """The section ``behavior`` of a validated configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError if the section names a dataset that does not exist."""
        for key in ("datasets", "by_dataset"):
            for dataset in self.config["behavior"][key]:
                check_known(f"behavior.{key}", "dataset", dataset, self.config["datasets"])
        for dataset in self.datasets:
            own = questions(self.config, dataset)
            if own["scoring"] == "letter" and "{options}" not in own["prompt"]:
                raise UserError(
                    f"behavior.scoring: 'letter', but the prompt of {dataset!r} is "
                    f"{own['prompt']!r}, expected one with {{options}}"
                )

    @property
    def datasets(self) -> list[str]:
        """The datasets whose items models answer."""
        return list(self.config["behavior"]["datasets"])

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) for which the model answers the dataset's items."""
        for dataset in self.datasets:
            for model in self.config["models"]:
                if self.can_answer(model, dataset):
                    yield model, dataset

    def answered(self, model: str) -> list[str]:
        """Return the datasets that a model of the configuration answers."""
        listed = model in self.config["models"]
        return [d for d in self.datasets if listed and self.can_answer(model, d)]

    def can_answer(self, model: str, dataset: str) -> bool:
        """Return whether a model is examined on a dataset, reads text, and supports its items."""
        spec = self.specs[model]
        form = layout_of(self.config, dataset).form
        reads = spec.reads_text and (form == "question" or spec.kind == "encoder")
        return reads and examines(self.config, model, dataset)

    def unasked_warnings(self) -> list[str]:
        """Return a sentence about the models that answer nothing because they read no text."""
        models = self.config["models"] if self.datasets else []
        mute = [model for model in models if not self.specs[model].reads_text]
        if not mute:
            return []
        so = "has no text tower, so it answers"
        if len(mute) > 1:
            so = "have no text tower, so they answer"
        return [f"{', '.join(mute)} {so} no questions; everything else is examined"]

    def has_paired_items(self, dataset: str) -> bool:
        """Return whether items come in pairs that are scored together, as in MMVP."""
        return bool(layout_of(self.config, dataset).pairs)

    def model_pattern(self, kind: str) -> str:
        """Return the wildcard pattern matching all models of a kind that read text."""
        return one_of(m for m, s in self.specs.items() if s.kind == kind and s.reads_text)

    def conditions(self, kind: str) -> list[str]:
        """Return the conditions under which models of a kind answer, in table order."""
        wanted = self.config["behavior"]["conditions"]
        ordered = [c for c in CONDITIONS if c in wanted]
        return [c for c in ordered if kind == "vlm" or c != "no_image"]

    # Slices of settings, each as canonical JSON

    def response_settings(self, wildcards: Any) -> str:
        """Return the settings that prompt a model with a dataset's items.

        Keys that this kind of model does not read have constant values, so the responses do not
        depend on them.
        """
        behavior = questions(self.config, wildcards.dataset)
        vlm = self.specs[wildcards.model].kind == "vlm"
        read, unread = (VLM_ONLY, ENCODER_ONLY) if vlm else (ENCODER_ONLY, VLM_ONLY)
        return canonical({**{key: behavior[key] for key in (*SHARED_KEYS, *read)}, **unread})

    def retrieval_settings(self, wildcards: Any) -> str:
        """Return the settings for comparing captions and images."""
        return self._slice("caption", "bootstrap", "batch_size")

    def score_settings(self, wildcards: Any) -> str:
        """Return the settings for scoring responses."""
        return self._slice("bootstrap", "vqa")

    def pattern_settings(self, wildcards: Any) -> str:
        """Return the settings for comparing models by pattern."""
        return self._slice("bootstrap", "permutations")

    # Paths

    def responses(self, wildcards: Any) -> list[str]:
        """Return the response tables of a model on a dataset, one per condition."""
        return self._responses(wildcards.model, wildcards.dataset)

    def response_parts(self, wildcards: Any) -> list[str]:
        """Return the response tables of all parts of a look, by condition."""
        names = {"model": wildcards.model, "dataset": wildcards.dataset}
        names["look"] = str(LooksPlan(self.config).look(wildcards))
        return [
            paths.RESPONSE_PARTS.rule(**names, condition=condition, part=part)
            for condition in self.conditions(self.specs[wildcards.model].kind)
            for part in parts.names(self.config, self.specs, wildcards)
        ]

    def responses_before(self, wildcards: Any) -> list[str]:
        """Return the response tables of the previous look, one per condition, if there is one.

        A part has none, because they are added when parts are joined.
        """
        if hasattr(wildcards, "part"):
            return []
        looks, names = LooksPlan(self.config), (wildcards.model, wildcards.dataset)
        before = looks.look(wildcards) - 1
        conditions = self.conditions(self.specs[wildcards.model].kind) if before else []
        return [looks.responses(before, *names, condition) for condition in conditions]

    def scores(self, suffix: str = ".parquet") -> list[str]:
        """Return all score tables, or the files next to them with another suffix."""
        return _of(paths.SCORES.beside(suffix), self.runs())

    def all_responses(self) -> list[str]:
        """Return all response tables."""
        return [path for run in self.runs() for path in self._responses(*run)]

    def retrieval(self) -> list[str]:
        """Return the retrieval tables of encoders that read text, on datasets with captions."""
        runs = [(m, d) for m, d in self.runs() if self.specs[m].kind == "encoder"]
        captioned = [(m, d) for m, d in runs if layout_of(self.config, d).captions]
        return _of(paths.RETRIEVAL, captioned)

    def pattern_runs(self, model: str | None = None) -> list[tuple[str, str]]:
        """Return every (model, dataset) with image pairs, for all models or one model's page.

        As in the paper, an encoder matches a statement with one of two images, and a VLM answers a
        question about each. The page of a VLM also covers the encoder it contains.
        """
        if model is None:
            models = self.config["models"]
        else:
            encoder = self.encoder(model)
            models = [model, *([encoder] if encoder else [])]
        paired = [dataset for dataset in self.datasets if self.has_paired_items(dataset)]
        form = {"encoder": "which_image", "vlm": "question"}
        runs = [(m, d) for m in models for d in paired if self.can_answer(m, d)]
        return [
            (m, d) for m, d in runs if layout_of(self.config, d).form == form[self.specs[m].kind]
        ]

    def pattern_scores(self, wildcards: Any) -> list[str]:
        """Return the score tables used for the patterns of one page, or of all models."""
        return _of(paths.SCORES, self._page_runs(wildcards))

    def pattern_distributions(self, wildcards: Any) -> list[str]:
        """Return the distribution tables that belong to these score tables."""
        return _of(paths.DISTRIBUTIONS, self._page_runs(wildcards))

    def pattern_responses(self, wildcards: Any) -> list[str]:
        """Return the response tables shown on a page: those of the page's model."""
        own = [(m, d) for m, d in self._page_runs(wildcards) if m == wildcards.model]
        return [path for run in own for path in self._responses(*run)]

    def pattern_items(self, name: str) -> Callable[[Any], list[str]]:
        """Return the input function for the ``items`` or ``images`` tables of a page."""

        def tables(wildcards: Any) -> list[str]:
            datasets = [d for m, d in self._page_runs(wildcards) if m == wildcards.model]
            table = paths.ITEMS.beside(f"{name}.parquet", "items.parquet")
            return [table.rule(dataset=dataset) for dataset in datasets]

        return tables

    def pattern_cards(self, wildcards: Any) -> list[str]:
        """Return the cards of the models on a page."""
        models = dict.fromkeys(model for model, _ in self._page_runs(wildcards))
        return [paths.CARD.rule(model=model) for model in models]

    def pattern_tables(self, name: str) -> list[str]:
        """Return the pattern table of all models, if any model answers questions on image pairs."""
        return [paths.PATTERN_TABLES.rule(table=name)] if self.pattern_runs() else []

    def pattern_pages(self) -> list[str]:
        """Return the pages on image pairs, one per model that answers questions about them."""
        models = dict.fromkeys(model for model, _ in self.pattern_runs())
        return [paths.PATTERN_PAGE.rule(model=model) for model in models]

    def encoder(self, model: str) -> str:
        """Return the encoder that a model contains, or nothing if the encoder reads no text."""
        name = self.specs[model].encoder
        return name if name in self.specs and self.specs[name].reads_text else ""

    def encoder_of(self, wildcards: Any) -> str:
        """Return the encoder of the wildcard ``model``; see :meth:`encoder`."""
        return self.encoder(wildcards.model)

    def _page_runs(self, wildcards: Any) -> list[tuple[str, str]]:
        return self.pattern_runs(getattr(wildcards, "model", None))

    def _responses(self, model: str, dataset: str) -> list[str]:
        conditions = self.conditions(self.specs[model].kind)
        return [paths.RESPONSES.rule(model=model, dataset=dataset, condition=c) for c in conditions]

    def _slice(self, *keys: str) -> str:
        return canonical({key: self.config["behavior"][key] for key in keys})


def questions(config: Config, dataset: str) -> dict[str, Any]:
    """Return the settings of a dataset's questions, with nulls resolved.

    A null scoring becomes ``letter`` if the prompt shows lettered options, otherwise ``mean``. Null
    items become the test set if a published dataset is probed, otherwise all items.
    """
    found = {**config["behavior"], **config["behavior"]["by_dataset"].get(dataset, {})}
    lettered = "letter" if "{options}" in found["prompt"] else "mean"
    own = layout_of(config, dataset).own_tasks
    items = "all" if own or not config["datasets"][dataset]["tasks"] else "test"
    return found | {"scoring": found["scoring"] or lettered, "items": found["items"] or items}


def form(behavior: dict[str, Any]) -> str:
    """Return how choices are scored: by their letters or by their texts."""
    return "letter" if behavior["scoring"] == "letter" else "text"


def item_regions(config: Config, datasets: Iterable[str]) -> list[str]:
    """Return the region tables of the datasets whose items have regions."""
    return [paths.REGIONS.rule(dataset=d) for d in datasets if layout_of(config, d).located]


def check_trainable(config: Config, dataset: str, where: str, why: str) -> None:
    """Raise a UserError if choices cannot be scored on their own, or if a part has no groups."""
    if questions(config, dataset)["scoring"] == "pmi":
        raise UserError(
            f"behavior.scoring is 'pmi' for {dataset!r}, expected mean, sum or letter {where}"
        )
    if not 0 < (share := config["datasets"][dataset]["test_share"]) < 1:
        raise UserError(
            f"datasets.{dataset}.test_share is {share}, expected more than 0 and less than 1 "
            f"{where}: {why}"
        )


def check_asked(config: Config, where: str, datasets: Iterable[str]) -> None:
    """Raise a UserError for a dataset that does not exist or has no questions for a VLM."""
    for dataset in datasets:
        check_known(where, "dataset", dataset, config["datasets"])
        if layout_of(config, dataset).form != "question":
            raise UserError(
                f"{where}: {dataset!r} holds statements for encoders, expected questions for a "
                "language model"
            )


def check_tasks(config: Config, where: str, tasks: Mapping[str, Iterable[str]]) -> None:
    """Raise a UserError for a dataset without questions for a VLM, or an unknown task of one."""
    check_asked(config, where, tasks)
    for dataset, names in tasks.items():
        layout = layout_of(config, dataset)
        for name in names if not layout.own_tasks else ():
            check_known(f"{where}.{dataset}", "task", name, layout.item_tasks)


def check_vlms(specs: dict[str, Spec], where: str, chosen: Iterable[str] | None) -> None:
    """Raise a UserError for a model that is unknown or has no language model."""
    known = [model for model, spec in specs.items() if spec.kind == "vlm"]
    for model in chosen or ():
        check_known(where, "vision-language model", model, known)


def _of(pattern: paths.Pattern, runs: Iterable[tuple[str, str]]) -> list[str]:
    return [pattern.rule(model=model, dataset=dataset) for model, dataset in runs]
