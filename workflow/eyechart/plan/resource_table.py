"""Print the resources of a run's jobs, one line per rule: memory, time, GPUs, total hours.

Nothing is run: the jobs are those that `snakemake -n` would show. `snakemake plan_resources` calls
this with its own configuration.

    python -m eyechart.plan.resource_table --snakefile Snakefile \
        --settings '{"configfiles": ["config/presets/paper.yaml"], "config": {}}'
"""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.enums import Quietness
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

from eyechart.core.errors import UserError
from eyechart.core.step import Json, command

HEADER = ("rule", "jobs", "max. memory", "max. time per job", "GPUs", "total hours")


@dataclass(frozen=True)
class Asked:
    """The resources of one job: MB, minutes, GPUs and threads; ``local`` jobs are not queued."""

    rule: str
    memory: int
    minutes: int
    gpus: int
    threads: int
    local: bool


def given(settings: dict[str, Any]) -> ConfigSettings:
    """Return the configuration given to Snakemake: its files and ``--config``, merged."""
    files = [Path(file) for file in settings["configfiles"]]
    return ConfigSettings(configfiles=files, config=settings["config"])


def jobs(settings: dict[str, Any], snakefile: Path) -> list[Asked]:
    """Return the resources of every job that a run of the default target would start.

    Raise a UserError if the run cannot be planned.
    """
    config = given(settings)
    logging.disable(logging.ERROR)  # hides the messages of the dry run
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1), config_settings=config, snakefile=snakefile
        )
        workflow.dag(DAGSettings()).execute_workflow(executor="dryrun")
        dag = workflow._workflow.dag
    return [_asked(job) for job in dag.jobs if dag.needrun(job) and job.rule.shellcmd]


def _asked(job: Any) -> Asked:
    of = job.resources
    memory, minutes, gpus = (int(of.get(name, 0)) for name in ("mem_mb", "runtime", "gpu"))
    return Asked(job.rule.name, memory, minutes, gpus, job.threads, job.is_local)


def table(asked: Iterable[Asked]) -> str:
    """Return the Markdown table of jobs by rule, sorted by decreasing total time."""
    by_rule: dict[str, list[Asked]] = defaultdict(list)
    for job in asked:
        by_rule[job.rule].append(job)
    rows = sorted(by_rule.items(), key=lambda row: (-_minutes(row[1]), row[0]))
    lines = [HEADER, ["---", *["--:"] * (len(HEADER) - 1)], *(_row(*row) for row in rows)]
    every = [job for _, own in rows for job in own]
    on_gpu = sum(job.gpus * job.minutes for job in every)
    return "\n".join(
        [
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            f"{len(every):,} jobs; in total they request {math.ceil(on_gpu / 60):,} GPU hours and "
            f"{math.ceil(_minutes([j for j in every if not j.gpus]) / 60):,} hours of jobs "
            "without a GPU.",
        ]
    )


def _row(rule: str, own: list[Asked]) -> list[str]:
    gpus = {job.gpus for job in own}
    return [
        f"`{rule}`",
        f"{len(own):,}",
        f"{max(job.memory for job in own) / 1000:,.1f} GB",
        _hours(max(job.minutes for job in own)),
        "–".join(str(n) for n in sorted({min(gpus), max(gpus)})),
        f"{math.ceil(_minutes(own) / 60):,}",
    ]


def _minutes(own: Iterable[Asked]) -> int:
    return sum(job.minutes for job in own)


def _hours(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


@command
def main(*, settings: Json, snakefile: Path) -> None:
    """Print the table."""
    found = jobs(settings, snakefile)
    if not found:
        raise UserError("nothing to do: all files exist and are up to date")
    print(table(found))


if __name__ == "__main__":
    main()
