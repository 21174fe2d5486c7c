"""What makes Snakemake quick with thousands of jobs; nothing here changes what is planned or run.

Snakemake imports this module at parse time, so it needs neither numpy nor torch.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from snakemake.common import get_function_params, overwrite_function_params
from snakemake.resources import Resource

from eyechart.core.files import write_json
from eyechart.plan import paths
from eyechart.plan.configuration import Config


def start_planning() -> None:
    """Collect no garbage while jobs are planned: a plan grows, and loses nothing."""
    gc.disable()


def start_run(workflow: Any, config: Config, results: str) -> None:
    """Write the configuration to a file if a job reads it; from now on, collect garbage."""
    gc.enable()
    _lift_job_rate_limit(workflow)
    if any(hasattr(job.rule.params, "configuration") for job in workflow.dag.needrun_jobs()):
        write_json(Path(paths.CONFIGURATION.at(results)), config)


def _lift_job_rate_limit(workflow: Any) -> None:
    """Remove Snakemake's default limit of 100 jobs a second, unless the user set another.

    Because of it, Snakemake searches for jobs to start again one second after every search, so
    searches accumulate with jobs: by the end of the demo they took a quarter of a core.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def plan_quickly(workflow: Any) -> None:
    """Spare Snakemake what it would do again for every job of the rules that were read."""
    for rule in workflow.rules:
        _state_arguments(_functions(rule))
    _state_arguments([Resource.evaluate], leave_out=("self",))


def _functions(rule: Any) -> Iterator[Callable[..., Any]]:
    """Yield the functions of a rule that Snakemake calls for each job."""
    for value in (*rule.input, *rule.params, rule._conda_env):
        found = getattr(value, "_file", value)  # an input function is wrapped twice
        found = getattr(found, "callable", found)
        if callable(found):
            yield found
    yield from filter(None, (one._evaluator for one in rule.resources.values()))


def _state_arguments(
    functions: Iterable[Callable[..., Any]], leave_out: Iterable[str] = ()
) -> None:
    """Note the arguments of functions where Snakemake looks for them before it inspects.

    It does so several times for each function of each job, which took a sixth of a plan.
    """
    for function in functions:
        own: Mapping[str, Any] = get_function_params(function)
        named = {name: one for name, one in own.items() if name not in leave_out}
        overwrite_function_params(getattr(function, "__func__", function), named)
