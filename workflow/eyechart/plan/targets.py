"""What the user asks Snakemake for by path: a name in it that there is not becomes one sentence.

Snakemake alone would say that no rule makes the file, but not why. It imports this at parse time,
so it needs neither numpy nor torch.
"""

from collections.abc import Iterable, Sequence

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import Config, check_known, examined, tasks_for

MODELS = ("model", "first", "second")  # names in a path that are models
ASKED = ("answers", "scores", "retrieval")  # stages of which a model's answers are asked


def check(
    config: Config,
    specs: dict[str, Spec],
    targets: Iterable[str],
    results: str = paths.RESULTS,
) -> None:
    """Raise a UserError for a target whose path names no model, dataset or task that there is."""
    for target in targets:
        found = paths.find(target, results) or paths.find_folder(target, results)
        if found is None:
            continue
        pattern, names = found
        for name in MODELS:
            if name in names:
                check_known(target, "model", names[name], specs)
        if "dataset" in names:
            check_known(target, "dataset", names["dataset"], _datasets(config, pattern.stage))
        if "task" in names:
            model, tasks = (
                names["model"],
                tasks_for(config, specs, names["model"], names["dataset"]),
            )
            check_known(target, f"task of {model}", names["task"], tasks)
        _check_asked(target, BehaviorPlan(config, specs), pattern.stage, names)


def _datasets(config: Config, stage: str) -> Sequence[str]:
    """Return the datasets that a stage can be asked for."""
    if stage == "probes":
        return examined(config)
    if stage == "activations":
        return [name for name, dataset in config["datasets"].items() if "parts" in dataset]
    sections = {"readouts": "readout", "concepts": "concepts", "attention": "attention"}
    return list(config[sections[stage]]["datasets"] if stage in sections else config["datasets"])


def _check_asked(target: str, answering: BehaviorPlan, stage: str, names: paths.Names) -> None:
    """Raise a UserError for answers of a model that cannot be asked."""
    if stage in ASKED and "dataset" in names:
        datasets = [names["dataset"]]
    elif stage == "mmvp" and "model" in names:
        datasets = [d for d in answering.datasets if answering.pairs_up(d)]
    else:
        return
    model = names["model"]
    if any(answering.asks(model, dataset) for dataset in datasets):
        return
    if not answering.specs[model].reads_text:
        why = f"{model} reads no text, so there is nothing to ask it"
    elif datasets:
        why = f"{', '.join(datasets)} holds pairs of pictures for one statement, asked of encoders"
    else:
        why = "no dataset under behavior.datasets has layout mmvp or mmvp_vlm"
    raise UserError(f"{target}: {why}")
