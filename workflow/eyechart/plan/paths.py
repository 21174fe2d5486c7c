"""The path of every file between stages, each pattern written once.

Snakemake imports this module at parse time, so it needs only the standard library.
``<results>`` is the folder of results, as in rules, by default ``results``. ``<raw>`` is the folder
of raw datasets, ``data/raw``; a named run has its own. Rules and input functions use
:meth:`Pattern.rule`, and Snakemake fills in the folder. Other code uses :meth:`Pattern.at` and
:meth:`Pattern.match`.

    >>> SCORES.rule(model="tiny_llava")
    '<results>/behavior/scores/tiny_llava/{dataset}.parquet'
    >>> SCORES.at(model="tiny_llava", dataset="clevr")
    'results/behavior/scores/tiny_llava/clevr.parquet'
    >>> SCORES.match("results/behavior/scores/tiny_llava/clevr.parquet")
    {'model': 'tiny_llava', 'dataset': 'clevr'}
"""

import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import PurePath

ROOT, RAW = "<results>", "<raw>"
RESULTS = "results"
RUNS = "runs"  # the folder of named runs: ``run:`` in the configuration
_NAME = re.compile(r"\{(\w+)\}")

Names = dict[str, str]


@dataclass(frozen=True)
class Pattern:
    """The path of one kind of file, with the names that distinguish its files in braces."""

    text: str  # its first part is ``<results>`` or a folder of the project
    about: str = field(compare=False)  # the content of the file, in one line

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(_NAME.findall(self.text))

    @property
    def stage(self) -> str:
        """The folder of its stage: ``probing`` in ``<results>/probing/…``."""
        return self.text.replace(RAW, "data/raw").split("/")[1]

    def rule(self, **fixed: str) -> str:
        """Return the path for a rule; names that are not given stay wildcards.

        Raise a KeyError for a name that the pattern does not have.
        """
        if unknown := [name for name in fixed if name not in self.names]:
            raise KeyError(f"{self.text} has no {unknown[0]!r}; it has {', '.join(self.names)}")
        return _NAME.sub(lambda found: fixed.get(found[1], found[0]), self.text)

    def at(self, results: str = RESULTS, /, **names: str) -> str:
        """Return the path of one file; every name must be given.

        Raise a KeyError for a name that is missing, or that the pattern does not have.
        """
        if missing := [name for name in self.names if name not in names]:
            raise KeyError(f"{self.text} needs {missing[0]!r}")
        return self.rule(**names).replace(ROOT, results, 1).replace(RAW, raw_of(results), 1)

    def beside(self, ending: str, own: str = ".parquet") -> "Pattern":
        """Return the pattern of the sibling file with another ending; the pattern must exist."""
        text = self.text.removesuffix(own) + ending
        return next(pattern for pattern in PATTERNS.values() if pattern.text == text)

    def glob(self, results: str = RESULTS) -> str:
        """Return the glob pattern for all its files in a folder of results."""
        return self.at(results, **dict.fromkeys(self.names, "*"))

    def match(self, path: str | PurePath, results: str | None = None) -> Names | None:
        """Return the names in a path, or None if it belongs to another pattern.

        Parameters
        ----------
        path : str or Path; names may contain dots. A path that fits two patterns, such as
            ``a.predictions.parquet``, belongs to the one with more literal characters.
        results : the folder of results. Without it, the path may start with any folders, so a step
            can read the names regardless of where the results are.
        """
        own = _regex(self.text, results).fullmatch(PurePath(path).as_posix())
        closest = find(path, results) if own else None
        return own.groupdict() if own and closest and closest[0].literal == self.literal else None

    def folder_match(self, path: str | PurePath, results: str) -> Names | None:
        """Return the names in the folders of a path, even if its file matches no pattern."""
        folders = self.text.rpartition("/")[0].replace(RAW, raw_of(results), 1)
        depth = folders.replace(ROOT, results, 1).count("/") + 1
        start = PurePath(path).parent.as_posix().split("/")[:depth]
        found = _regex(folders, results).fullmatch("/".join(start))
        return found.groupdict() if found else None

    @cached_property
    def literal(self) -> int:
        """The number of literal characters."""
        return len(_NAME.sub("", self.text))

    @cached_property
    def mark(self) -> str:
        """The longest literal part of its paths."""
        rest = self.text.removeprefix(f"{ROOT}/").removeprefix(f"{RAW}/")
        return max(_NAME.sub("\n", rest).split("\n"), key=len)


@cache
def _regex(text: str, results: str | None) -> re.Pattern[str]:
    """Return the regular expression of a pattern in one folder of results, or in any if None."""
    root, _, rest = text.partition("/")
    anywhere = "(?:.*/)?"
    raw = re.escape(raw_of(results)) if results else f"{anywhere}(?:{RAW}|{raw_of(RESULTS)})"
    start = {RAW: f"{raw}/", ROOT: anywhere if results is None else re.escape(f"{results}/")}
    if root not in start:
        start, rest = {root: "" if results else anywhere}, text
    pieces = _NAME.split(rest)  # literal, name, literal, …
    named = (f"(?P<{p}>[^/]+)" if n % 2 else re.escape(p) for n, p in enumerate(pieces))
    return re.compile(start[root] + "".join(named))


def raw_of(results: str) -> str:
    """Return the folder of raw datasets that belongs to a folder of results."""
    run = PurePath(results).parent
    return f"{run}/data/raw" if run.parts[:1] == (RUNS,) else "data/raw"


def find(path: str | PurePath, results: str | None = RESULTS) -> tuple[Pattern, Names] | None:
    """Return the pattern of a path and the names in it, or None if no pattern matches.

    If ``results`` is None, the path may start with any folders.
    """
    text = PurePath(path).as_posix()
    for pattern in _closest_first():
        if pattern.mark in text and (found := _regex(pattern.text, results).fullmatch(text)):
            return pattern, found.groupdict()
    return None


@cache
def _closest_first() -> list[Pattern]:
    """Return the patterns, sorted by decreasing number of literal characters."""
    return sorted(PATTERNS.values(), key=lambda pattern: -pattern.literal)


def find_folder(path: str | PurePath, results: str = RESULTS) -> tuple[Pattern, Names] | None:
    """Return the deepest pattern with the same folders as a path, and the names in them."""
    deepest = sorted(PATTERNS.values(), key=lambda pattern: -pattern.text.count("/"))
    for pattern in deepest:
        names = pattern.folder_match(path, results)
        if names:
            return pattern, names
    return None


# Datasets
VERSIONS = Pattern("data/versions.tsv", "source of every downloaded dataset")
VERSION_LOCK = Pattern("data/versions.lock.tsv", "sizes and hashes of the downloads")
DOWNLOADS = Pattern("data/downloads", "downloaded archives")
SHARD = Pattern(
    "<raw>/{dataset}/shards/{split}-{shard}.json",
    "images and scenes of one shard of a rendered split",
)
DRAWN = Pattern("data/drawn/{dataset}/{split}-{shard}.zip", "the same, shipped with its recipe")
RECEIPT = Pattern(
    "<raw>/{dataset}/acquired.json",
    "source, splits, and per file its path, bytes and sha256; written last",
)
ITEMS = Pattern("<results>/datasets/{dataset}/items.parquet", "one row per item")
IMAGES = Pattern("<results>/datasets/{dataset}/images.parquet", "one row per image")
REGIONS = Pattern("<results>/datasets/{dataset}/regions.parquet", "one row per region of an item")

# Models
SPEC = Pattern("config/models/{model}.yaml", "definition and source of a model")
MODEL_LOCK = Pattern("data/models.lock.tsv", "sizes and hashes of the pulled files")
READY = Pattern("data/models/{model}/ready.json", "origin and files of a checkpoint; written last")
CARD = Pattern("<results>/models/{model}/card.json", "family, addresses, widths, spans of a model")
VIEW = Pattern("<results>/models/{model}/view.png", "an image as preprocessed for the model")
CARD_PAGE = Pattern("<results>/models/{model}/card.html", "the card as a page")

# Training of the tiny models
TRAINED = Pattern("<results>/training/{stage}/model/ready.json", "files of a stage's model; last")
CURVE = Pattern("<results>/training/{stage}/curve.parquet", "one row per logged step and metric")
PACKED = Pattern("<results>/training/packed/{model}/packed.json", "float16 weights; written last")
SHIPPED = Pattern("data/weights/{model}/packed.json", "shipped float16 weights")
BUILT_CURVE = Pattern("data/models/{model}/curve.parquet", "training curve of a controlled model")
SHIPPED_CURVE = Pattern("data/weights/{model}/{stage}.curve.parquet", "their training curves")

# Activations and what is computed from them
ACTIVATIONS = Pattern(
    "<results>/extraction/{model}/{dataset}/{scope}/part-{part}.parquet",
    "one row per image or item, one column per address and span",
)
MANIFEST = Pattern(
    "<results>/extraction/{model}/{dataset}/{scope}/manifest.json",
    "columns, parts and provenance of activations; written last",
)
PROBES = Pattern(
    "<results>/probing/{model}/{dataset}/{task}.parquet",
    "one row per address, span, probe, seed and kind",
)
PROBE_PREDICTIONS = Pattern(
    "<results>/probing/{model}/{dataset}/{task}.predictions.parquet",
    "the same, per item of the test set",
)
READOUTS = Pattern(
    "<results>/readout/{model}/{dataset}.parquet", "one row per task, address and readout"
)
READOUT_PREDICTIONS = Pattern(
    "<results>/readout/{model}/{dataset}.predictions.parquet", "the same, per item"
)
DEPTH_HEADS = Pattern("<results>/readout/{model}/depth_heads.safetensors", "weights of all heads")
DEPTH_ERRORS = Pattern("<results>/readout/{model}/depth_heads.json", "test errors of the heads")
CONCEPTS = Pattern(
    "<results>/concepts/{model}/{dataset}/{table}.parquet",
    "cues, separation or projection: one row per address, span and number of components",
)
MINING = "<results>/mining/{first}_against_{second}/{dataset}"
PAIRS = Pattern(f"{MINING}/pairs.parquet", "one row per pair of images")
LABELS = Pattern(f"{MINING}/labels.csv", "the pairs, for labelling")
PAIRS_PAGE = Pattern(f"{MINING}/sheet.html", "the pairs as a page")
PAIRS_PART = Pattern(f"{MINING}/parts/{{part}}-{{other}}.parquet", "the pairs between two parts")
ALIGNED = Pattern(f"{MINING}/features/images.parquet", "the rows of both features; written last")
ALIGNED_FEATURES = Pattern(f"{MINING}/features/{{side}}.npy", "one encoder's, one row per image")

# Responses
RESPONSES = Pattern(
    "<results>/behavior/responses/{model}/{dataset}/{condition}.parquet",
    "one row per item and order of its choices",
)
LOOK_RESPONSES = Pattern(
    "<results>/behavior/looks/{model}/{dataset}/{look}/{condition}.parquet",
    "the same, up to a look before the last",
)
RESPONSE_PARTS = Pattern(
    "<results>/behavior/parts/{model}/{dataset}/{look}/{part}/{condition}.parquet",
    "the same, of one part of a look's items",
)
SCORES = Pattern(
    "<results>/behavior/scores/{model}/{dataset}.parquet", "one row per condition, task, metric"
)
DISTRIBUTIONS = Pattern(
    "<results>/behavior/scores/{model}/{dataset}.distributions.parquet", "answer frequencies"
)
RETRIEVAL = Pattern(
    "<results>/behavior/retrieval/{model}/{dataset}.parquet",
    "captions retrieved for images, and images for captions",
)
PATTERN_TABLES = Pattern("<results>/behavior/patterns/{table}.parquet", "patterns, or correlations")
PATTERN_TABLES_OF_MODEL = Pattern(
    "<results>/behavior/patterns/{model}/{table}.parquet", "patterns of a model and its encoder"
)
PATTERN_PAGE = Pattern("<results>/behavior/patterns/{model}.html", "the page about image pairs")
ATTENTION = Pattern(
    "<results>/attention/{model}/{dataset}/{table}.parquet",
    "attention, lens, words, maps or summary: one row per item and block",
)
ATTENTION_PARTS = Pattern("<results>/attention/{model}/{dataset}/{part}/{table}.parquet", "a part")
INTERVENTIONS = Pattern(
    "<results>/interventions/{model}/{dataset}/{table}.parquet", "answers under edits"
)
SALIENCY = Pattern("<results>/saliency/{model}/{dataset}/{table}.parquet", "maps of the image")
IMAGE_USE = Pattern("<results>/saliency/{model}.parquet", "whether a model uses the image")
SPEED = Pattern("<results>/speed/{model}.parquet", "time and memory by precision and batch size")
SPEED_PAGE = Pattern("<results>/speed/index.html", "the same for all models, as a page")
TUNED = Pattern(
    "<results>/tuning/{model}/{dataset}/{task}/{arm}/{table}.parquet",
    "answers of the tuned model, or curve: losses of each training run",
)
ADAPTER = Pattern(
    "<results>/tuning/{model}/{dataset}/{task}/{arm}/{training}/{file}", "in PEFT's layout"
)
TUNED_MAPS = Pattern("<results>/tuning/{model}/{dataset}/{task}/maps.parquet", "of attention")
TUNING = Pattern("<results>/tuning/{model}.parquet", "one row per task, arm, data and seed")
TUNING_PAGE = Pattern("<results>/tuning/{model}.html", "page with only the section on tuning")
VERDICT = Pattern("<results>/verdict/{model}.parquet", "one row per skill and stage")
CLASSES = Pattern("<results>/verdict/{model}.classes.parquet", "one row per skill: class, reason")
DIFFERENCES = Pattern("<results>/verdict/{model}.differences.parquet", "pairs of stages")
LOOK_VERDICT = Pattern(
    "<results>/verdict/looks/{model}/{look}/{table}.parquet", "the same, at an earlier look"
)
CALIBRATION = Pattern("<results>/calibration.parquet", "verdicts on planted models")
CALIBRATION_PAGE = Pattern("<results>/calibration.md", "the same, as a table to read")
CALIBRATION_FIGURE = Pattern("<results>/calibration.svg", "the same, as a figure")

# Report
CONFIGURATION = Pattern("<results>/configuration.json", "the full configuration of the page")
REPORT = Pattern("<results>/report/index.html", "the complete report")
FIGURES = Pattern(
    "<results>/report/figures/{section}/{dataset}/{model}/figures.json",
    "files of a section's figures of a model on a dataset",
)
FIGURE = Pattern("<results>/report/figures/{section}/{dataset}/{model}/{figure}.svg", "one of them")
WHOLE_FIGURES = Pattern("<results>/report/figures/{section}/figures.json", "the same, all models")
WHOLE_FIGURE = Pattern("<results>/report/figures/{section}/{figure}.svg", "one of these figures")

PATTERNS = {name: value for name, value in globals().items() if isinstance(value, Pattern)}
