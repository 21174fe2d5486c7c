"""Check the paths requested from Snakemake: an unknown name becomes a one-sentence error.

Snakemake alone would report that no rule produces the file, but not why. It imports this module at
parse time, so it must not import numpy or torch.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from eyechart.core.errors import UserError, nearest
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import Config, check_known, examines, probed_datasets, tasks_for
from eyechart.tuning.registry import arms

# Snakemake options with files that need not be outputs, such as those of an earlier config
WITH_FILES = (
    *("--archive", "--cleanup-metadata", "--cm", "--configfile", "--configfiles", "--export-cwl"),
    *("--report", "--report-metadata", "--report-stylesheet", "--runtime-profile", "--snakefile"),
    *("-s", "--unneeded-temp-files", "--wait-for-files", "--wait-for-files-file"),
)
MODELS = ("model", "first", "second")  # names in a path that are models
PER_DATASET = (paths.RESPONSES, paths.SCORES, paths.DISTRIBUTIONS, paths.RETRIEVAL)
OF_PAIRS = (paths.PATTERN_TABLES_OF_MODEL, paths.PATTERN_PAGE)
SECTIONS = (
    "readout",
    "concepts",
    "attention",
    "interventions",
    "saliency",
)  # stages with their own list of datasets


def check(
    config: Config, specs: dict[str, Spec], targets: Iterable[str], results: str = paths.RESULTS
) -> None:
    """Raise a UserError for a target that no rule makes, or with an unknown model, dataset or task.

    ``targets`` are the words of the command line, which include options and their values.
    """
    option = ""  # the last one, of which a word may be a value
    for target in targets:
        option = target if target.startswith("-") else option
        if option in WITH_FILES:
            continue
        exact = paths.find(target, results)
        if found := exact or paths.find_folder(target, results):
            _check_names(config, specs, target, *found)
        is_file = target.startswith(f"{results}/") and PurePath(target).suffix
        if is_file and not exact:
            raise UserError(f"{target}: no rule makes this; {_files_near(target, results)}")


def _files_near(target: str, results: str) -> str:
    """Return the end of an error sentence: the files in the target's folder of results."""
    files = [p.text.replace(paths.ROOT, results) for p in paths.PATTERNS.values()]
    within = [file for file in files if file.startswith(f"{results}/")]
    folder, *folders = (
        file.removeprefix(f"{results}/").split("/")[0] for file in (target, *within)
    )
    if folder not in folders:
        return nearest(folder, set(folders))
    own = [file for file in within if file.startswith(f"{results}/{folder}/")]
    own.sort(key=lambda file: (PurePath(file).suffix != PurePath(target).suffix, len(file)))
    return f"expected {' or '.join(own[:3])}"


def _check_names(
    config: Config, specs: dict[str, Spec], target: str, pattern: paths.Pattern, names: paths.Names
) -> None:
    """Raise a UserError for an unknown model, dataset or task in a path."""
    for name in MODELS:
        if name in names:
            check_known(target, "model", names[name], specs)
    if pattern.stage == "tuning" and "task" in names:
        section = config["tuning"]
        if "arm" in names:
            check_known(target, "arm", names["arm"], arms(section))
        check_known(target, "dataset", names["dataset"], section["tasks"])
        check_known(target, "task", names["task"], section["tasks"][names["dataset"]])
    elif "dataset" in names:
        check_known(target, "dataset", names["dataset"], _datasets(config, pattern))
        _check_examined(target, config, names)
    if "task" in names and pattern.stage != "tuning":
        model = names["model"]
        tasks = tasks_for(config, specs, model, names["dataset"])
        check_known(target, f"task of {model}", names["task"], tasks)
    _check_responses(target, BehaviorPlan(config, specs), pattern, names)


def _check_examined(target: str, config: Config, names: paths.Names) -> None:
    """Raise a UserError for a model that a dataset's ``models`` excludes."""
    model, dataset = names.get("model"), names["dataset"]
    if model and not examines(config, model, dataset):
        chosen = f"datasets.{dataset}.models"
        check_known(f"{target}: {chosen}", "model", model, config["datasets"][dataset]["models"])


def _datasets(config: Config, pattern: paths.Pattern) -> Sequence[str]:
    """Return the datasets for which a kind of file can be requested."""
    if pattern.stage == "probing":
        return probed_datasets(config)
    if pattern.stage in SECTIONS and "dataset" in pattern.names:
        return list(config[pattern.stage]["datasets"])
    return list(config["datasets"])


def _check_responses(
    target: str, behavior: BehaviorPlan, pattern: paths.Pattern, names: paths.Names
) -> None:
    """Raise a UserError for responses of a model that cannot answer."""
    if pattern in PER_DATASET and "dataset" in names:
        datasets = [names["dataset"]]
    elif pattern in OF_PAIRS and "model" in names:
        datasets = [d for d in behavior.datasets if behavior.has_paired_items(d)]
    else:
        return
    model = names["model"]
    if any(behavior.can_answer(model, dataset) for dataset in datasets):
        return
    if not behavior.specs[model].reads_text:
        why = f"{model} has no text tower, so it cannot answer questions"
    elif datasets:
        why = f"{', '.join(datasets)} holds pairs of images for one statement, for encoders only"
    else:
        why = "no dataset under behavior.datasets has layout mmvp or mmvp_vlm"
    raise UserError(f"{target}: {why}")
