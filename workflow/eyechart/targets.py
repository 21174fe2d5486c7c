"""What the user asks Snakemake for by path: a name in it that there is not becomes one sentence.

Snakemake alone would say that no rule makes the file, but not why. It imports this at parse time,
so it needs neither numpy nor torch.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from eyechart.answering import Answering
from eyechart.configuration import Config, check_known, examined, tasks_for
from eyechart.errors import UserError
from eyechart.models.spec import Spec


def check(config: Config, specs: dict[str, Spec], targets: Iterable[str]) -> None:
    """Raise a UserError for a target whose path names no model, dataset or task that there is."""
    known, probed = list(config["datasets"]), examined(config)
    answering = Answering(config, specs)
    for target in targets:
        match Path(target).parts:
            case ("results", "probes", model, dataset, file):
                task = file.removesuffix(".parquet").removesuffix(".predictions")
                _names(target, specs, probed, [model], dataset)
                check_known(
                    target, f"task of {model}", task, tasks_for(config, specs, model, dataset)
                )
            case ("results", "activations", model, dataset, *_):
                cut = [name for name in known if "parts" in config["datasets"][name]]
                _names(target, specs, cut, [model], dataset)
            case ("results", "readouts", model, file) if "depth_heads" not in file:
                dataset = file.removesuffix(".parquet").removesuffix(".predictions")
                _names(target, specs, config["readout"]["datasets"], [model], dataset)
            case ("results", "concepts" | "attention" as section, model, dataset, _):
                _names(target, specs, config[section]["datasets"], [model], dataset)
            case ("results", "verdict", file):
                model = file.removesuffix(".parquet")
                for end in (".classes", ".differences"):
                    model = model.removesuffix(end)
                _names(target, specs, known, [model])
            case ("results", "answers" | "scores" | "retrieval", model, file, *_):
                dataset = file.removesuffix(".parquet").removesuffix(".distributions")
                _names(target, specs, known, [model], dataset)
                _check_asked(target, answering, model, [dataset])
            case ("results", "mmvp", model) if model.endswith(".html"):
                name = model.removesuffix(".html")
                _names(target, specs, known, [name])
                sets = [d for d in answering.datasets if answering.pairs_up(d)]
                _check_asked(target, answering, name, sets)
            case ("results", "mining", pair, dataset, _):
                _names(target, specs, known, pair.split("_against_"), dataset)
            case ("results", "models", model, _) | ("data", "models", model, _):
                _names(target, specs, known, [model])
            case ("results", "datasets", dataset, _) | ("data", "raw", dataset, *_):
                check_known(target, "dataset", dataset, known)


def _names(
    target: str,
    specs: dict[str, Spec],
    datasets: Sequence[str],
    models: Sequence[str],
    dataset: str | None = None,
) -> None:
    for model in models:
        check_known(target, "model", model, specs)
    if dataset is not None:
        check_known(target, "dataset", dataset, datasets)


def _check_asked(target: str, answering: Answering, model: str, datasets: Sequence[str]) -> None:
    if any(answering.asks(model, dataset) for dataset in datasets):
        return
    if not answering.specs[model].reads_text:
        why = f"{model} reads no text, so there is nothing to ask it"
    elif datasets:
        why = f"{', '.join(datasets)} holds pairs of pictures for one statement, asked of encoders"
    else:
        why = "no dataset under answering.datasets has layout mmvp or mmvp_vlm"
    raise UserError(f"{target}: {why}")
