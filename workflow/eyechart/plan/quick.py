"""Changes that make Snakemake fast with thousands of jobs, without changing the plan or the run.

Snakemake imports this module at parse time, so it must not import numpy or torch.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from snakemake.common import get_function_params, overwrite_function_params
from snakemake.resources import Resource

from eyechart.core import errors
from eyechart.core.files import write_json
from eyechart.core.integrity import check_writable
from eyechart.core.sharing import Share
from eyechart.plan import paths
from eyechart.plan.configuration import Config


def start_planning() -> None:
    """Disable garbage collection while jobs are planned, since a plan only grows."""
    gc.disable()


def start_run(workflow: Any, config: Config, results: str, share: Share) -> None:
    """Write the configuration to a file if a job reads it, and enable garbage collection.

    Exit with one sentence if a job could not write to one of its folders, or if another run reads
    files in ``data/`` that this one would remake.
    """
    gc.enable()
    jobs = list(workflow.dag.needrun_jobs())

    def prepare(_: list[str]) -> None:
        check_writable(folders(jobs))
        share.begin(jobs)
        if any(hasattr(job.rule.params, "configuration") for job in jobs):
            write_json(Path(paths.CONFIGURATION.at(results)), config)

    errors.run(prepare)
    _lift_job_rate_limit(workflow)


def folders(jobs: Iterable[Any]) -> list[Path]:
    """Return the folders of the files, logs and benchmarks that jobs write."""
    written = (file for job in jobs for file in (*job.output, *job.log, job.benchmark) if file)
    return sorted({Path(file).parent for file in written})


def _lift_job_rate_limit(workflow: Any) -> None:
    """Remove Snakemake's default limit of 100 jobs a second, unless the user has set a limit.

    With this limit, Snakemake searches again for ready jobs one second after every search, so the
    searches accumulate. At the end of the demo they used a quarter of a core.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def plan_quickly(workflow: Any) -> None:
    """Cache work that Snakemake would repeat for every job of the parsed rules."""
    for rule in workflow.rules:
        _state_arguments(_functions(rule))
    _state_arguments([Resource.evaluate], leave_out=("self",))


def _functions(rule: Any) -> Iterator[Callable[..., Any]]:
    """Yield the functions of a rule that Snakemake calls for each job."""
    for value in (*rule.input, *rule.params, rule._conda_env):
        found = getattr(value, "_file", value)  # input functions are wrapped twice
        found = getattr(found, "callable", found)
        if callable(found):
            yield found
    yield from filter(None, (one._evaluator for one in rule.resources.values()))


def _state_arguments(
    functions: Iterable[Callable[..., Any]], leave_out: Iterable[str] = ()
) -> None:
    """Store the arguments of functions where Snakemake looks for them before inspection.

    Snakemake inspects each function several times per job, which took a sixth of the planning time.
    """
    for function in functions:
        own: Mapping[str, Any] = get_function_params(function)
        named = {name: one for name, one in own.items() if name not in leave_out}
        overwrite_function_params(getattr(function, "__func__", function), named)
