"""Plan the workflow in the working directory and print its jobs as a JSON list of objects.

python list_jobs.py '{"configfiles": ["config/presets/fast.yaml"], "config": {}}'
"""

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings


def jobs(
    configfiles: list[str], config: dict[str, Any], targets: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return rule, wildcards, inputs and outputs of every job for the given or default targets."""
    settings = ConfigSettings(configfiles=[Path(file) for file in configfiles], config=config)
    with SnakemakeApi(OutputSettings()) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=settings,
            snakefile=Path("Snakefile"),
        )
        workflow.dag(DAGSettings(targets=set(targets))).execute_workflow(executor="dryrun")
        return [_described(job) for job in workflow._workflow.dag.jobs]


def _described(job: Any) -> dict[str, Any]:
    inputs = {
        name: [files] if isinstance(files, str) else list(files)
        for name, files in job.input._allitems()
        if name
    }
    named = {file for files in inputs.values() for file in files}
    inputs[""] = [file for file in job.input if file not in named]
    return {
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards_dict),
        "inputs": {name: [str(file) for file in files] for name, files in inputs.items()},
        "outputs": [str(file) for file in job.output],
    }


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        found = jobs(**json.loads(sys.argv[1]))
    print(json.dumps(found))
